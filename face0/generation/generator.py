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
from face0.model.folder import fingerprint, local_model, refuse_changed_model
from face0.model.lineage import Lineage
from face0.model.pipeline import Face0Pipeline
from face0.runtime.concurrency import ordered_map
from face0.runtime.out_of_memory import FittingBatches
from face0.runtime.precision import fast_dtype
from face0.runtime.versions import library_versions
from face0.tasks.attempt import SetAside
from face0.tasks.outcomes import EarlierRow, why_failed
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import TaskRun
from face0.tasks.task_output import TableWriter, TaskOutput
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
            refuse_changed_model(config.model, fingerprint(folder), config.fingerprint)
        self._render = Renderer(pipe.to(device))
        self._batches = Batches(self._render, batch)
        metrics = ImageMetrics(
            device,
            config.embedder.load(device) if config.embedder else None,
            config.judge.load(device) if config.judge else None,
            Clip(config.clip, device, config.clip_fingerprint) if config.clip else None,
        )

        def measure(images: Sequence[tuple[np.ndarray, Request]]) -> list[dict[str, Any]]:
            return metrics([pixels for pixels, _ in images], [request for _, request in images])

        self._measure = FittingBatches(measure, batch)
        self._origin = {
            "model": config.fingerprint,
            "step": lineage.step,
            "base": lineage.base_name,
            "version": library_versions()["face0"],
        }

    def rows(self, run: TaskRun, folder: OutputFolder) -> Iterator[Request | Outcome]:
        """The requests of a task; of those that need no image, their outcomes. See ``face0.tasks.worker.Worker``."""
        earlier: Mapping[str, Outcome] = {}
        if run.retry and run.task.task_id in folder.stats_names():
            earlier = _earlier(folder, folder.stats(run.task.task_id), set(run.retry))
        for request in read_requests(folder.join(run.task.uri), run.task.row_group):
            if request.request_id in earlier:
                yield earlier[request.request_id]
            elif request.reason:
                yield _failure(request, run, Stage.PLAN, Reason(request.reason), request.message or "")
            else:
                yield request

    def process(self, rows: Iterator[Request | Outcome], run: TaskRun, folder: OutputFolder) -> Iterator[Outcome]:
        """What becomes of requests. Beside a GPU, images are measured and written while the next batch denoises."""
        if self._on_cpu:
            torch.set_num_threads(self._threads)  # of this thread, which Beam chose

        def finish(batch: Batch | Outcome) -> list[Outcome]:
            return self._finish(batch, run, folder) if isinstance(batch, Batch) else [batch]

        batches = self._batches(rows)
        done: Iterator[list[Outcome]] = map(finish, batches)
        if not self._on_cpu:
            done = ordered_map(finish, batches, workers=self._threads, ahead=self._threads + 1)
        for outcomes in done:
            yield from outcomes

    def fail(self, run: TaskRun, row: Request | Outcome | None, aside: SetAside) -> Outcome:
        """The failure of a request that is set aside; outcomes stay what they are."""
        if row is None:
            raise OSError(f"{run.task.uri} cannot be read: {aside.message}")  # it is ours: nothing of it is given up
        if not isinstance(row, Request):
            return row
        return _failure(row, run, Stage.RENDER, Reason(aside.reason), aside.message)

    def table(self, output: TaskOutput) -> TableWriter:
        """Starts the table of results."""
        return output.table("results", RESULTS, totals=result_totals)

    def verify(self, run: TaskRun) -> None:
        """Looks at nothing: requests lie in the output itself, and nobody else writes there."""

    def _finish(self, batch: Batch, run: TaskRun, output: Folder) -> list[Outcome]:
        done = [
            (image.pixels, request)
            for image, request in zip(batch.images, batch.requests, strict=True)
            if isinstance(image, Rendered) and image.pixels is not None
        ]
        measured = iter(self._measure(done))
        outcomes: list[Outcome] = []
        for request, image in zip(batch.requests, batch.images, strict=True):
            if isinstance(image, Exception):
                reason, message = why_failed(image)
                message = f"at {request.width} x {request.height} pixels: {message}"
                outcomes.append(_failure(request, run, Stage.RENDER, reason, message))
            elif image.pixels is None:
                message = (
                    "the model's image is not made of numbers: look at its training, or give --model-precision fp32"
                )
                outcomes.append(_failure(request, run, Stage.RENDER, Reason.NOT_FINITE, message))
            else:
                outcomes.append(self._measured(request, image, next(measured), batch, run, output))
        return outcomes

    def _measured(
        self,
        request: Request,
        image: Rendered,
        measured: Mapping[str, Any] | Exception,
        batch: Batch,
        run: TaskRun,
        output: Folder,
    ) -> Outcome:
        if isinstance(measured, Exception):
            return _failure(request, run, Stage.RENDER, *why_failed(measured))
        return self._row(request, image, measured, batch.seconds / len(batch.requests), output)

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
            "image_bytes": len(data) if data else None,
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


def _failure(request: Request, run: TaskRun, stage: Stage, reason: Reason, message: str) -> Failure:
    return Failure(key=request.request_id, source=run.task.uri, stage=stage, reason=reason, message=message)
