"""Generate: requests in, image files and rows of results out."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from PIL import Image, ImageFilter

from face0.generation.clip import Clip
from face0.generation.config import GenerateConfig, Unsafe
from face0.generation.image_files import encode_image, thumbnail
from face0.generation.metrics import ImageMetrics
from face0.generation.renderer import Batch, Batches, Rendered, Renderer
from face0.generation.requests import Request, read_requests
from face0.generation.results import completed
from face0.io.folder import Folder
from face0.model.folder import local_model
from face0.model.lineage import Lineage
from face0.model.pipeline import Face0Pipeline
from face0.runtime.concurrency import ordered_map
from face0.runtime.precision import fast_dtype
from face0.runtime.versions import library_versions
from face0.tasks.outcomes import EarlierRow, write_outcomes
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import TaskRun
from face0.tasks.totals import result_totals
from schemas.failures import Failure, Reason, Stage
from schemas.job import TaskStats
from schemas.requests import RESULTS

BLUR = 16  # a flagged image is blurred by the side over this, pixels


Outcome = EarlierRow | Failure | dict[str, Any]


class Generator:
    """The worker of the generate job: holds the model and what measures its images."""

    def __init__(self, config: GenerateConfig, device: str, batch: int, threads: int) -> None:
        self.config = config
        # On a CPU the threads are the model's: others beside it would be in its way, and cost more than they save.
        self._on_cpu, self._threads = device == "cpu", threads
        fast = fast_dtype(device) if config.precision == "auto" and device != "cpu" else torch.float32
        for library in (diffusers, transformers):
            library.utils.logging.disable_progress_bar()  # of loading, in the midst of the job's own
        with local_model(config.model) as folder:
            lineage = Lineage.read(folder, config.model)
            pipe = Face0Pipeline.from_pretrained(folder, dtype=fast, local_files_only=True, use_safetensors=True)
        self._render = Renderer(pipe.to(device))
        self._batches = Batches(self._render, batch)
        self._metrics = ImageMetrics(
            device,
            config.embedder.load(device) if config.embedder else None,
            config.judge.load(device) if config.judge else None,
            Clip(config.clip, device) if config.clip else None,
        )
        self._origin = {
            "model": config.fingerprint,
            "step": lineage.step,
            "base": lineage.base_name,
            "version": library_versions()["face0"],
        }

    def run(self, run: TaskRun, folder: OutputFolder) -> TaskStats:
        """Does one task and commits it. See ``face0.tasks.worker.Worker``."""
        if self._on_cpu:
            torch.set_num_threads(self._threads)  # of this thread, which Beam chose
        requests: Sequence[Request] = read_requests(folder.join(run.task.uri), run.task.row_group)
        earlier: Mapping[str, Outcome] = {}
        if run.retry and run.task.task_id in folder.stats_names():
            earlier = _earlier(folder, folder.stats(run.task.task_id), set(run.retry))
        with folder.commit(run.task) as output:
            results = output.table("results", RESULTS, totals=result_totals)
            write_outcomes(self._outcomes(requests, earlier, run.task.uri, folder), results, output)
        return folder.stats(run.task.task_id)

    def _outcomes(
        self, requests: Sequence[Request], earlier: Mapping[str, Outcome], source: str, output: Folder
    ) -> Iterator[Outcome]:
        """What becomes of each request. Beside a GPU, images are measured and written while the next batch denoises."""
        left = []
        for request in requests:
            if request.request_id in earlier:
                yield earlier[request.request_id]
            elif request.reason:
                yield _failure(request, source, Stage.PLAN, Reason(request.reason), request.message or "")
            else:
                left.append(request)

        def finish(batch: Batch) -> list[Outcome]:
            return self._finish(batch, source, output)

        batches = self._batches(left)
        done: Iterator[list[Outcome]] = map(finish, batches)
        if not self._on_cpu:
            done = ordered_map(finish, batches, workers=self._threads, ahead=self._threads + 1)
        for outcomes in done:
            yield from outcomes

    def _finish(self, batch: Batch, source: str, output: Folder) -> list[Outcome]:
        done = [
            (image.pixels, request)
            for image, request in zip(batch.images, batch.requests, strict=True)
            if isinstance(image, Rendered) and image.pixels is not None
        ]
        measured = iter(self._metrics([pixels for pixels, _ in done], [request for _, request in done]))
        outcomes: list[Outcome] = []
        for request, image in zip(batch.requests, batch.images, strict=True):
            if isinstance(image, MemoryError):
                message = f"{request.width} x {request.height} pixels do not fit into memory even alone: {image}"
                outcomes.append(_failure(request, source, Stage.RENDER, Reason.OUT_OF_MEMORY, message))
            elif image.pixels is None:
                message = (
                    "the model's image is not made of numbers: look at its training, or give --model-precision fp32"
                )
                outcomes.append(_failure(request, source, Stage.RENDER, Reason.NOT_FINITE, message))
            else:
                seconds = batch.seconds / len(batch.requests)
                outcomes.append(self._row(request, image, next(measured), seconds, output))
        return outcomes

    def _row(
        self, request: Request, image: Rendered, measured: Mapping[str, Any], seconds: float, output: Folder
    ) -> dict[str, Any]:
        pixels = image.pixels
        assert pixels is not None
        name = data = None
        if image.flagged and self.config.unsafe is not Unsafe.KEEP:
            pixels = _blurred(pixels)
        if not (image.flagged and self.config.unsafe is Unsafe.DROP):
            name = f"images/{request.request_id}.{self.config.image_format}"
            data = encode_image(pixels, self.config.image_format, self.config.quality, request, self._origin)
            with output.write(name) as file:
                file.write(data)
        return {
            "request_id": request.request_id,
            **request.settings,
            "label": request.label,
            "image": name,
            "image_sha256": hashlib.sha256(data).hexdigest() if data else None,
            "thumbnail": thumbnail(pixels) if data else None,
            "tokens_lost": image.tokens_lost,
            "flagged": image.flagged,
            **measured,
            "seconds": seconds,
        }


def _earlier(folder: OutputFolder, stats: TaskStats, retry: set[Reason]) -> dict[str, Outcome]:
    """What stays of an earlier commit, by request."""
    stays: dict[str, Outcome] = {}
    for rows in folder.read_table(stats, "results"):
        batch = completed(rows, RESULTS)
        stays |= {batch["request_id"][i].as_py(): EarlierRow(batch.slice(i, 1)) for i in range(batch.num_rows)}
    for batch in folder.read_table(stats, "failures"):
        stays |= {row["key"]: Failure(**row) for row in batch.to_pylist() if row["reason"] not in retry}
    return stays


def _blurred(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(max(pixels.shape) / BLUR)))


def _failure(request: Request, source: str, stage: Stage, reason: Reason, message: str) -> Failure:
    return Failure(key=request.request_id, source=source, stage=stage, reason=reason, message=message)
