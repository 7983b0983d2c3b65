"""From a manifest and a bank to images: what generate, characters and audit do alike."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

from face0 import detection
from face0.embedders.interface import EmbedderConfig
from face0.embedders.metadata import refuse_other_embedder
from face0.errors import UsageError
from face0.faces.bank import FaceBank
from face0.faces.deny_list import read_deny
from face0.faces.strangers import PhotographSample, refuse_strangers
from face0.generation.clip import clip_fingerprint
from face0.generation.config import ROW_SECONDS, GenerateConfig, Unsafe
from face0.generation.plan import join_requests
from face0.io.json import to_json_values
from face0.model.folder import ModelFolder, inspect_model
from face0.runtime.concurrency import threads_per_process
from face0.tasks.output_folder import OutputFolder
from pipelines.generation import Generation
from pipelines.generator import LoadGenerator
from pipelines.options import check_device, pipeline_options, worker_processes
from pipelines.tasks import Workers
from schemas.failures import Reason
from schemas.job import Success

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """How the images of a manifest are made, measured and written.

    Attributes:
        model: URI of the folder, an output of face0 train.
        embedder: the one of the model's shards, resolved; None: likeness is not measured.
        judge: an independent one, resolved.
        clip: URI of the folder of a CLIP model.
        deny: URI of a bank of faces that are not to be rendered; goes with ``deny_threshold`` and takes an embedder.
        deny_threshold: cosine of identity vectors from which two faces count as one person's.
        mostly_theirs: whether most faces are those people's, so that it is taken though most of the faces pass it.
        image_format: a name of ``face0.generation.image_files.FORMATS``.
        quality: of WebP and JPEG, 1 to 100.
        unsafe: what becomes of images that the base's safety checker flags.
        model_precision: ``auto`` or ``fp32``.
        batch: images at once, at most.
        requests_per_task: images of a task.
        device: of torch, or ``auto``.
        threads: of each worker process; None: those that the machine has, shared out.
        worker_processes: that render beside each other on a machine; None: see ``pipelines.options``; 0: this one.
        row_timeout: seconds without a new image after which a worker process is ended; None: ROW_SECONDS.
    """

    model: str
    embedder: EmbedderConfig | None = None
    judge: EmbedderConfig | None = None
    clip: str | None = None
    deny: str | None = None
    deny_threshold: float | None = None
    mostly_theirs: bool = False
    image_format: str = "png"
    quality: int = 92
    unsafe: Unsafe = Unsafe.BLUR
    model_precision: str = "auto"
    batch: int = 8
    requests_per_task: int = 64
    device: str = "auto"
    threads: int | None = None
    worker_processes: int | None = None
    row_timeout: float | None = None

    def config(self, model: ModelFolder) -> GenerateConfig:
        """What decides which files and rows are written. Raises UsageError if the embedder is not the model's."""
        if self.embedder is not None:
            refuse_other_embedder("--embedder", self.embedder.metadata(), f"--model {self.model}", model.embedder)
        return GenerateConfig(
            model=model.uri,
            fingerprint=model.facts.fingerprint,
            precision=self.model_precision,
            image_format=self.image_format,
            quality=self.quality,
            unsafe=self.unsafe,
            embedder=self.embedder,
            judge=self.judge,
            clip=self.clip,
            clip_fingerprint=clip_fingerprint(self.clip) if self.clip else None,
        )

    def denied(self, bank: FaceBank) -> set[str]:
        """The faces of a bank that are like one of ``deny``. Raises UsageError if they cannot be compared."""
        if self.deny is None or self.deny_threshold is None:
            return set()
        if self.embedder is None:
            raise UsageError("--deny needs --embedder, the one of the model's shards, to tell whose faces are alike")
        listed = read_deny(self.deny, self.deny_threshold, self.embedder.metadata())
        names, vectors = bank.identified(self.embedder.weights).identity_vectors()
        like = listed.load(self.embedder.weights)
        if not self.mostly_theirs:
            sample = PhotographSample.of_vectors(dict(zip(names, vectors, strict=True)))
            refuse_strangers(f"--deny-threshold {self.deny_threshold:g}", like, sample, lambda identities: identities)
        matches = like.matches(vectors)
        return {name for name, match in zip(names, matches, strict=True) if match}


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """A generation with what runs it. Made by ``plan_rendering``, which writes nothing.

    Attributes:
        generation: the tasks, and where they stand.
        workers: who renders.
        config: of the worker.
        threads: of each.
        repeated: rows of the manifest that ask for an image again.
        options: of the pipeline.
    """

    generation: Generation
    workers: Workers
    config: GenerateConfig
    threads: int
    repeated: int
    options: PipelineOptions

    def run(self) -> Success | None:
        """Renders what is left and writes the report. Returns the content of ``_SUCCESS``; None: tasks are missing."""
        if self.repeated:
            logger.info("%s rows ask for an image twice; each is rendered once", f"{self.repeated:,}")
        success = self.generation.run(self.workers, self.options)
        if success is not None and (cut := success.totals.get("prompts cut")):
            logger.info(
                "%s images have prompts that are too long before the face's slots: see tokens_lost in results/",
                f"{cut:,}",
            )
        return success


def plan_rendering(
    manifest: pa.Table,
    bank: FaceBank | None,
    output: str,
    render: RenderOptions,
    flags: Sequence[str],
    retry: Sequence[Reason] = (),
) -> Rendering:
    """Plans the images of a manifest.

    Args:
        manifest: of the schema MANIFEST.
        bank: of its faces; None: it has none.
        output: URI of the folder.
        render: how.
        flags: Beam's, of the pipeline that will run it.
        retry: reasons for which failed requests are tried again.

    Raises:
        UsageError: model, bank and embedder do not go together, or the folder holds something else.
    """
    options = pipeline_options(flags)
    check_device(render.device, options)
    detection.load_facenet()  # before the job begins
    model = inspect_model(render.model)
    config = render.config(model)
    bank = bank or FaceBank(faces={}, dim=model.facts.dim, embedder=model.embedder)
    refuse_other_embedder("the faces", bank.embedder, f"--model {render.model}", model.embedder)
    denied = render.denied(bank)
    requests, repeated = join_requests(manifest, bank, model.facts, config.needs_portraits, denied)
    recorded = {
        **to_json_values(config),
        "model": {"base": model.base, "step": model.step},  # by its fingerprint: the folder may have moved
        "embedder": dict(model.embedder) if config.embedder else None,
    }
    held = OutputFolder(output).job
    if held is not None and "clip_fingerprint" not in held.config:  # of version 0.2.0, which did not record it
        del recorded["clip_fingerprint"]
    processes = worker_processes(options, render.worker_processes)
    threads = threads_per_process(render.threads, max(processes, 1))
    load = LoadGenerator(config=config, device=render.device, batch=render.batch, threads=threads)
    generation = Generation.plan(output, requests, recorded, render.requests_per_task, retry, model.embedder)
    return Rendering(
        generation=generation,
        workers=Workers(load=load, processes=processes, row_seconds=render.row_timeout or ROW_SECONDS),
        config=config,
        threads=threads,
        repeated=repeated,
        options=options,
    )
