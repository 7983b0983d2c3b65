"""Augment: captioned images in, rows with faces and their embeddings out."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import torch

from face0.augmentation.config import AugmentConfig
from face0.augmentation.merging import settle
from face0.augmentation.screening import checked, wanted
from face0.faces.embedding import EmbeddedFaces, FaceEmbedder
from face0.images.decoding import decode
from face0.images.reading import BadImage
from face0.images.training_image import TrainingImage, to_training_image
from face0.readers import planning
from face0.readers.failures import unreadable_rest
from face0.readers.fetching import Fetcher
from face0.readers.further_columns import Value, as_type
from face0.readers.samples import Sample, Split
from face0.readers.versions import refuse_changed
from face0.runtime.concurrency import ordered_map
from face0.runtime.out_of_memory import FittingBatches
from face0.shards.rows import FaceRow, to_batch
from face0.tasks.attempt import SetAside
from face0.tasks.outcomes import EarlierRow, Filtered, NoFace, Noted, why_failed
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import TaskRun
from face0.tasks.task_output import TableWriter, TaskOutput
from face0.tasks.totals import shard_totals
from schemas.failures import Failure, Reason, Stage

_log = logging.getLogger(__name__)
IMAGE_BATCH = 16  # images that go through the models together


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A sample whose training image is ready for the models.

    Attributes:
        sample: as it was read.
        image: its training image.
        sha256: of its file's bytes, in hexadecimal.
    """

    sample: Sample
    image: TrainingImage
    sha256: str


Outcome = FaceRow | NoFace | Filtered | EarlierRow | Failure


class Augmenter:
    """The worker of the augment job: holds the detector and the embedder."""

    def __init__(self, config: AugmentConfig, fetcher: Fetcher, device: str, threads: int) -> None:
        self.config = config
        self.access = fetcher.access
        self._fetcher = fetcher
        self._threads = threads
        torch.set_num_threads(1)  # batches run beside each other
        self._embedder = config.embedder.load(device)
        self._embed = FaceEmbedder(self._embedder, config.faces, device)
        self._deny = config.deny.load(config.embedder.weights) if config.deny else None
        self._look = FittingBatches(self._find_and_embed, IMAGE_BATCH)
        self._mistyped: set[str] = set()  # columns of which that was told
        self.schema = config.schema(self._embedder.dim)

    def rows(self, run: TaskRun, folder: OutputFolder) -> Iterable[Sample | Outcome]:
        """The samples of a task; outcomes of those that need not run again. See ``face0.tasks.worker.Worker``."""
        notes: Counter[str] = Counter()
        rows = self.read(run.task, notes)
        # Without a commit there is nothing to merge with: an earlier try took it back and was killed.
        if run.retry and run.task.task_id in folder.stats_names():
            return Noted(settle(rows, folder, folder.stats(run.task.task_id), set(run.retry), self.schema), notes)
        return Noted(rows, notes)

    def read(self, task: Split, notes: Counter[str]) -> Iterator[Sample | Filtered | Failure]:
        """The samples of a task: what the user does not want, or cannot become a row, is so before it is fetched.

        ``notes`` takes what is to be said once of many of them.
        """
        rows = planning.read(task, self.config.reading, self.access)
        return checked(wanted(rows, self.config.condition), notes)

    def process(
        self,
        rows: Iterable[Sample | Outcome],
        run: TaskRun,  # noqa: ARG002
        folder: OutputFolder,  # noqa: ARG002
    ) -> Iterator[Outcome]:
        """What becomes of the rows of a task."""
        return self.outcomes(rows)

    def verify(self, run: TaskRun) -> None:
        """Looks whether the input is what was planned."""
        refuse_changed(run.task)

    def fail(self, run: TaskRun, row: Sample | Outcome | None, aside: SetAside) -> Any:
        """The failure of a sample that is set aside; outcomes stay what they are."""
        if row is None:
            return unreadable_rest(run.task.uri, f"{aside.reason}: {aside.message}", f"from row {aside.number}")
        return row.failure(Stage.FACES, Reason(aside.reason), aside.message) if isinstance(row, Sample) else row

    def table(self, output: TaskOutput) -> TableWriter:
        """Starts the shard."""
        to_rows = partial(to_batch, schema=self.schema)
        return output.table("shards", self.schema, to_batch=to_rows, totals=shard_totals)

    def outcomes(self, rows: Iterable[Sample | Outcome]) -> Iterator[Outcome]:
        """Yields what becomes of each row, in order. Memory does not grow with the number of rows.

        Each thread takes a batch from its bytes to its vectors: no thread waits for another inside a layer of a net,
        and the result does not depend on how many there are.
        """
        fetched = self._fetcher.fetch(rows)
        batches = iter(lambda: list(islice(fetched, IMAGE_BATCH)), [])
        for outcomes in ordered_map(self._process, batches, workers=self._threads, ahead=self._threads + 1):
            yield from outcomes

    def _prepare(self, row: Sample | Outcome) -> Prepared | Outcome:
        if not isinstance(row, Sample):
            return row
        assert row.data is not None
        config = self.config
        try:
            if len(row.data) > config.max_bytes:
                raise BadImage(Reason.TOO_LARGE, f"{len(row.data):,} bytes, over --max-bytes {config.max_bytes:,}")
            decoded = decode(row.data, max_pixels=config.max_pixels, smallest_side=config.resolution)
            image = to_training_image(decoded, row.data, config.resolution)
        except BadImage as bad:
            return row.failure(Stage.DECODE, bad.reason, bad.message)
        except Exception as error:  # of a library, at this one image
            return row.failure(Stage.DECODE, *why_failed(error))
        return Prepared(sample=row, image=image, sha256=hashlib.sha256(row.data).hexdigest())

    def _process(self, rows: list[Sample | Outcome]) -> list[Outcome]:
        prepared = [self._prepare(row) for row in rows]
        ready = [item for item in prepared if isinstance(item, Prepared)]
        done = iter(zip(ready, self._look(ready), strict=True))
        return [self._row(*next(done)) if isinstance(item, Prepared) else item for item in prepared]

    def _find_and_embed(self, items: Sequence[Prepared]) -> list[EmbeddedFaces]:
        return self._embed.training_images([item.image.pixels for item in items], self.config.pad)

    def _row(self, item: Prepared, embedded: EmbeddedFaces | Exception) -> FaceRow | NoFace | Failure:
        if isinstance(embedded, Exception):
            return item.sample.failure(Stage.FACES, *why_failed(embedded))
        faces = embedded.detections
        if not len(faces) and not self.config.keep_faceless:
            return NoFace()
        if self._deny and len(faces) and self._deny.matches(self._embedder.identity(embedded.vectors)).any():
            return item.sample.failure(Stage.FACES, Reason.DENIED, "a face is like one of the bank --deny")
        height, width = item.image.pixels.shape[:2]
        return FaceRow(
            key=item.sample.key,
            caption=item.sample.caption or "",
            image=item.image.data,
            width=width,
            height=height,
            source=item.sample.source,
            sha256=item.sha256,
            faces=faces,
            embeddings=embedded.vectors,
            kept=self._kept(item.sample),
        )

    def _kept(self, sample: Sample) -> dict[str, Value]:
        """The values that come along, as their types have them. Tells once of each column that one of them is not."""
        kept = {}
        for name, kind in (self.config.keep or {}).items():
            value = sample.values.get(name)
            kept[name] = as_type(value, kind)
            if kept[name] is None and value is not None and name not in self._mistyped:
                self._mistyped.add(name)
                _log.warning(
                    "%s: %s is %r, no %s: such values are null in the shards; --keep-columns %s:string has them",
                    *(sample.source, name, value, kind, name),
                )
        return kept
