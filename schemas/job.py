"""The JSON records of a job's output folder: what the job is, a task's stats with its ledger, the success mark.

Each is read by ``from_json``, which raises BrokenRecord for what is no such record. Fields that a later version has
added are carried along, in ``later``, and written again.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

VERSION = 1


class BrokenRecord(ValueError):
    """Bytes that are not the record they should be: torn, or somebody else's."""


@dataclass(kw_only=True)
class Ledger:
    """Where every row went: ``read = written + no_face + filtered + failed``."""

    read: int = 0
    written: int = 0
    no_face: int = 0
    filtered: int = 0
    failed: int = 0

    @classmethod
    def from_record(cls, record: Mapping[str, int]) -> "Ledger":
        """The ledger of a JSON record. Folders of version 0.1 have a count ``rejected`` too, which was always 0.

        Counts must be whole numbers: they are summed over a million tasks, and compared.
        """
        counts = {name.name: record.get(name.name, 0) for name in fields(cls)}
        for name, count in counts.items():
            if type(count) is not int or count < 0:
                raise BrokenRecord(f"{name} is {count!r}, no count")
        return cls(**counts)

    @property
    def balanced(self) -> bool:
        """Whether every row that was read is accounted for."""
        return self.read == self.written + self.no_face + self.filtered + self.failed

    def __add__(self, other: "Ledger") -> "Ledger":
        mine, theirs = asdict(self), asdict(other)
        return Ledger(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def of_requests(self) -> str:
        """The ledger of a generation in words: no row of it is without a face."""
        return f"requested {self.read:,} = generated {self.written:,} + failed {self.failed:,}"

    def __str__(self) -> str:
        filtered = f" + filtered {self.filtered:,}" if self.filtered else ""
        written = f"written {self.written:,} + no_face {self.no_face:,}"
        return f"read {self.read:,} = {written}{filtered} + failed {self.failed:,}"


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """``job.json``: what an output folder is the output of.

    Attributes:
        job: the subcommand.
        config: what determines the output, as JSON values.
        versions: of the libraries that the first run had.
        later: fields of a later version.
    """

    job: str
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    later: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The record as JSON, keys sorted."""
        return _to_json(self, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> "JobRecord":
        """Parses ``to_json``'s output. Raises BrokenRecord."""
        return _from_json(cls, text)


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
        notes: what is to be said once of many rows, and of how many.
        files: that count.
        seconds: that it took.
        ended: when it was committed, in seconds since 1970 (UTC); 0: an earlier version did not say.
        later: fields of a later version.
    """

    task_id: str
    task: dict[str, Any]
    ledger: Ledger
    reasons: dict[str, int] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    files: list[DataFile] = field(default_factory=list)
    seconds: float = 0.0
    ended: float = 0.0
    later: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The record as JSON, keys sorted."""
        return _to_json(self, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> "TaskStats":
        """Parses ``to_json``'s output. Raises BrokenRecord."""
        return _from_json(cls, text)


@dataclass(frozen=True, kw_only=True)
class Success:
    """``_SUCCESS``: every task is committed and the ledger balances.

    Attributes:
        tasks: their number.
        ledger: summed over the tasks, as all that follows.
        reasons: failures by reason.
        totals: the workers' counts, and the bytes of all data files.
        notes: what is to be said once of many rows, and of how many.
        task_seconds: of all tasks, not wall-clock.
        later: fields of a later version.
    """

    tasks: int
    ledger: Ledger
    reasons: dict[str, int]
    totals: dict[str, int]
    task_seconds: float
    notes: dict[str, int] = field(default_factory=dict)
    later: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The record as JSON."""
        return _to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Success":
        """Parses ``to_json``'s output. Raises BrokenRecord."""
        return _from_json(cls, text)


_Record = TypeVar("_Record", JobRecord, TaskStats, Success)


def _to_json(record: JobRecord | TaskStats | Success, *, sort_keys: bool = False) -> str:
    values = asdict(record)
    return json.dumps({**values.pop("later"), "version": VERSION, **values}, indent=1, sort_keys=sort_keys)


def _from_json(kind: type[_Record], text: str | bytes) -> _Record:
    try:
        record = json.loads(text)
        known: set[str] = {name.name for name in fields(kind)} - {"later"}
        values = {name: value for name, value in record.items() if name in known}
        values["later"] = {name: value for name, value in record.items() if name not in {*known, "version"}}
        if "ledger" in values:
            values["ledger"] = Ledger.from_record(values["ledger"])
        if "files" in values:
            values["files"] = [_data_file(file) for file in values["files"]]
        parsed = kind(**values)
    except BrokenRecord:
        raise
    # What is torn is no JSON; what is foreign has other fields, or other types of them.
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BrokenRecord(f"{type(error).__name__}: {error}") from error
    for name, types in _TYPES.items():
        if not isinstance(getattr(parsed, name, types()), types):
            raise BrokenRecord(f"{name} is {type(getattr(parsed, name)).__name__}, not {types.__name__}")
    for name in ("seconds", "ended"):
        if type(getattr(parsed, name, 0.0)) not in (int, float):
            raise BrokenRecord(f"{name} is {getattr(parsed, name)!r}, no number")
    for counts in ("reasons", "totals", "notes"):
        for name, count in getattr(parsed, counts, {}).items():
            if type(count) is not int:
                raise BrokenRecord(f"{counts} has {count!r} of {name}, no count")
    return parsed


_TYPES = {"job": str, "task_id": str, "config": dict, "task": dict, "reasons": dict, "totals": dict, "notes": dict}


def _data_file(record: Mapping[str, Any]) -> DataFile:
    file = DataFile(**{name.name: record[name.name] for name in fields(DataFile)})
    if not (isinstance(file.name, str) and type(file.bytes) is int and type(file.rows) is int):
        raise BrokenRecord(f"{record} describes no file")
    return file
