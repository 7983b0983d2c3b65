"""The JSON records of a job's output folder: the ledger, a task's stats and the success mark."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

VERSION = 1


@dataclass(kw_only=True)
class Ledger:
    """Where every row went: ``read = written + no_face + rejected + failed``."""

    read: int = 0
    written: int = 0
    no_face: int = 0
    rejected: int = 0
    failed: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every row that was read is accounted for."""
        return self.read == self.written + self.no_face + self.rejected + self.failed

    def __add__(self, other: "Ledger") -> "Ledger":
        mine, theirs = asdict(self), asdict(other)
        return Ledger(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def of_requests(self) -> str:
        """The ledger of a generation in words: no row of it is without a face or rejected."""
        return f"requested {self.read:,} = generated {self.written:,} + failed {self.failed:,}"

    def __str__(self) -> str:
        return (
            f"read {self.read:,} = written {self.written:,} + no_face {self.no_face:,} "
            f"+ rejected {self.rejected:,} + failed {self.failed:,}"
        )


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
        record["ledger"] = Ledger(**record["ledger"])
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
