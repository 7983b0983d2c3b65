"""The JSON records of a job's output folder: what the job is, a task's stats with its ledger, the success mark."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

VERSION = 1


@dataclass(kw_only=True)
class Ledger:
    """Where every row went: ``read = written + no_face + failed``."""

    read: int = 0
    written: int = 0
    no_face: int = 0
    failed: int = 0

    @classmethod
    def from_record(cls, record: Mapping[str, int]) -> "Ledger":
        """The ledger of a JSON record. Folders of version 0.1 have a count ``rejected`` too, which was always 0."""
        return cls(**{name: count for name, count in record.items() if name != "rejected"})

    @property
    def balanced(self) -> bool:
        """Whether every row that was read is accounted for."""
        return self.read == self.written + self.no_face + self.failed

    def __add__(self, other: "Ledger") -> "Ledger":
        mine, theirs = asdict(self), asdict(other)
        return Ledger(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def of_requests(self) -> str:
        """The ledger of a generation in words: no row of it is without a face."""
        return f"requested {self.read:,} = generated {self.written:,} + failed {self.failed:,}"

    def __str__(self) -> str:
        return f"read {self.read:,} = written {self.written:,} + no_face {self.no_face:,} + failed {self.failed:,}"


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """``job.json``: what an output folder is the output of.

    Attributes:
        job: the subcommand.
        config: what determines the output, as JSON values.
        versions: of the libraries that the first run had.
    """

    job: str
    config: Mapping[str, Any]
    versions: Mapping[str, str]

    def to_json(self) -> str:
        """The record as JSON, keys sorted."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> "JobRecord":
        """Parses ``to_json``'s output."""
        record = json.loads(text)
        return cls(job=record["job"], config=record["config"], versions=record["versions"])


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file of a committed task.

    Attributes:
        name: relative to the output folder.
        rows: in it.
        bytes: its size.
        sha256: of its bytes.
    """

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class TaskStats:
    """``stats/<task>.json``, the commit of a task: written last, it lists the files that count.

    Attributes:
        task_id: names the task's files; made of its content.
        task: what the task was, as planned.
        ledger: where its rows went.
        reasons: failures by reason.
        totals: the worker's own counts.
        files: that count.
        seconds: that it took.
    """

    task_id: str
    task: dict[str, Any]
    ledger: Ledger
    reasons: dict[str, int] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    files: list[DataFile] = field(default_factory=list)
    seconds: float = 0.0

    def to_json(self) -> str:
        """The record as JSON, keys sorted."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> "TaskStats":
        """Parses ``to_json``'s output."""
        record = json.loads(text)
        record.pop("version")
        record["ledger"] = Ledger.from_record(record["ledger"])
        record["files"] = [DataFile(**file) for file in record["files"]]
        return cls(**record)


@dataclass(frozen=True, kw_only=True)
class Success:
    """``_SUCCESS``: every task is committed and the ledger balances.

    Attributes:
        tasks: their number.
        ledger: summed over the tasks, as all that follows.
        reasons: failures by reason.
        totals: the workers' counts, and the bytes of all data files.
        task_seconds: of all tasks, not wall-clock.
    """

    tasks: int
    ledger: Ledger
    reasons: dict[str, int]
    totals: dict[str, int]
    task_seconds: float

    def to_json(self) -> str:
        """The record as JSON."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Success":
        """Parses ``to_json``'s output."""
        record = json.loads(text)
        record.pop("version")
        record["ledger"] = Ledger.from_record(record["ledger"])
        return cls(**record)
