"""The places that one pass of trace or forget looks through: each is opened once, and what is light is remembered."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from face0.embedders.metadata import VectorMetadata
from face0.errors import StorageError, UsageError
from face0.faces.space import RECORD, FaceSpace
from face0.generation.results import Results, results_of
from face0.io import storage
from face0.io.secrets import public
from face0.privacy.spaces import SpaceLocation
from face0.privacy.trainings import TrainingLocation, open_training
from face0.reports.sweeps import DRAWN, RENDERS
from face0.tasks.kept_names import without_content
from face0.tasks.lease import Lease
from face0.tasks.output_folder import JOB, OutputFolder
from schemas.failures import Reason
from schemas.job import JobRecord, TaskStats

SCAN_ROWS = 1024  # rows read at a time
_REMEDY = (
    "give the --output of face0 augment, generate, characters, audit or train, a bank or a space of face0 faces, or a "
    "folder of --cache-latents"
)


@dataclass
class OutputLocation:
    """An output of augment or generate. While a pass lasts, nobody else writes there.

    Attributes:
        folder: where it lies.
        job: what it is the output of.
        requests: of each file of requests the ids that it holds, once they were read.
        results: of each committed task the ids of its images, once they were read.
        embedders: what made the vectors, as far as job and requests say, once they were read; of generate.
    """

    folder: OutputFolder
    job: JobRecord
    requests: dict[str, set[str]] = field(default_factory=dict)
    results: dict[str, set[str]] = field(default_factory=dict)
    embedders: list[Mapping[str, str]] = field(default_factory=list)
    _versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.job.job == "generate" and (embedder := self.job.config.get("embedder")):
            self.embedders.append(embedder)

    @property
    def uri(self) -> str:
        """The URI of the folder, in its public form: its name in what is kept and shown."""
        return public(self.folder.uri)

    @cached_property
    def tasks(self) -> dict[str, TaskStats]:
        """The stats of the committed tasks by task id. Who commits one anew puts its stats here."""
        self._versions = self.folder.stats_versions()
        return self.folder.committed()

    @cached_property
    def forgotten(self) -> set[str]:
        """The names of all rows that were removed from committed tasks. Who removes one adds it."""
        return self._failures[0]

    @cached_property
    def unclean(self) -> set[str]:
        """The tasks whose failures hold content in their names, as an earlier version kept them."""
        return self._failures[1]

    @cached_property
    def _failures(self) -> tuple[set[str], set[str]]:
        """What the tables of failures tell, each read once: of augment all, of generate those with removed rows."""
        forgotten, unclean = set(), set()
        for task_id, stats in self.tasks.items():
            if self.job.job != "augment" and not stats.reasons.get(Reason.FORGOTTEN):
                continue
            for batch in self.folder.read_table(stats, "failures"):
                if without_content(batch) is not batch:
                    unclean.add(task_id)
                forgotten |= {row["key"] for row in batch.to_pylist() if row["reason"] == Reason.FORGOTTEN}
        return forgotten, unclean

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps jobs out while the block lasts.

        Raises:
            UsageError: one is at work there, or has committed tasks since they were read.
        """
        with Lease(self.folder, "forget"):
            if self.folder.stats_versions() != self._versions:
                raise UsageError(f"a job was at work on {self.uri} until now: run the same command again")
            yield

    def open_results(self) -> Results:
        """The results as they are now. Raises UsageError if nothing is committed."""
        return results_of(self.folder, self.job, self.tasks)


@dataclass
class BankLocation:
    """A bank, open to be read.

    Attributes:
        location: URI of the file.
        metadata: what it says of its vectors.
        size: the number of its faces.
    """

    location: str
    metadata: VectorMetadata
    size: int
    _file: IO[bytes]
    _parquet: pq.ParquetFile

    @property
    def uri(self) -> str:
        """The URI in its public form: its name in what is kept and shown."""
        return public(self.location)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Streams some columns, once: at the end the file is closed."""
        with self._file:
            yield from self._parquet.iter_batches(batch_size=SCAN_ROWS, columns=list(columns))


@dataclass(frozen=True, kw_only=True)
class Locations:
    """The places that are looked through, for one pass. Made by ``classify``.

    Attributes:
        shards: outputs of augment.
        banks: of faces.
        renders: outputs of generate.
        trainings: models, and folders of latents.
        spaces: of faces.
    """

    shards: Sequence[OutputLocation] = ()
    banks: Sequence[BankLocation] = ()
    renders: Sequence[OutputLocation] = ()
    trainings: Sequence[TrainingLocation] = ()
    spaces: Sequence[SpaceLocation] = ()

    @property
    def uris(self) -> list[str]:
        """The URIs of all places."""
        groups = self.shards, self.banks, self.renders, self.trainings, self.spaces
        return [place.uri for places in groups for place in places]


def classify(uris: Iterable[str]) -> Locations:
    """Opens places, sorted by what they hold, which is told by their files.

    An output of characters or audit stands for its renders and its bank.

    Raises:
        UsageError: one is nothing of the kind.
    """
    outputs: dict[str, list[OutputLocation]] = {"augment": [], "generate": []}
    banks: list[BankLocation] = []
    trainings: list[TrainingLocation] = []
    spaces: list[SpaceLocation] = []
    for uri in dict.fromkeys(part for place in uris for part in _parts(OutputFolder(storage.absolute(place)))):
        output = OutputFolder(uri)
        if output.is_file():
            banks.append(_open_bank(uri))
        elif job := output.job:
            if job.job not in outputs:
                raise UsageError(f"{uri} is the output of face0 {job.job}: {_REMEDY}")
            outputs[job.job].append(OutputLocation(output, job))
        elif output.exists(RECORD):
            spaces.append(SpaceLocation(uri, FaceSpace.load(uri)))
        elif training := open_training(uri):
            trainings.append(training)
        else:
            raise UsageError(f"{uri} is no file, and no folder with a job.json: {_REMEDY}")
    return Locations(
        shards=outputs["augment"], banks=banks, renders=outputs["generate"], trainings=trainings, spaces=spaces
    )


def _parts(output: OutputFolder) -> list[str]:
    """The places in an output folder: of a sweep its renders, and the bank of the faces that it has drawn."""
    if output.is_file() or output.exists(JOB) or not output.exists(f"{RENDERS}/{JOB}"):
        return [output.uri]
    return [output.join(name) for name in (RENDERS, DRAWN) if output.exists(name)]


def _open_bank(uri: str) -> BankLocation:
    try:
        file = storage.open_uri(uri)
        parquet = pq.ParquetFile(file)
    except StorageError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{uri} is no bank ({error}): {_REMEDY}") from error
    metadata = VectorMetadata.of(parquet.schema_arrow.metadata)
    if metadata.schema != "face_bank":
        raise UsageError(f"{uri} is no bank: {_REMEDY}")
    return BankLocation(uri, metadata, parquet.metadata.num_rows, file, parquet)
