"""One attempt at a task: where it stands, row by row, and which rows it leaves out or takes alone.

The process that runs a task may die of a row: a crash in a decoder, memory that the system takes back. It notes where
it stands in a journal that outlives it, so that the row can be told (see ``face0.tasks.supervision``).
"""

import mmap
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from face0.runtime.interruption import interruption

Row = TypeVar("Row")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where a process stood in the rows of its task.

    Attributes:
        drawn: rows that were drawn from the input.
        done: rows whose outcome was written; all of them come before those that are not.
        reading: whether the next row was just being drawn.
        ended: whether all rows are done, and the task is being committed.
    """

    drawn: int = 0
    done: int = 0
    reading: bool = False
    ended: bool = False

    @property
    def limited(self) -> bool:
        """Whether a row is under way, and not the loading of the models or the commit, which take what they take."""
        return bool(self.drawn or self.reading) and not self.ended

    @property
    def culprit(self) -> int | None:
        """The one row that can have ended the process, counted from 0: nothing else was under way. Else None."""
        under_way = self.drawn - self.done + self.reading
        return self.done if under_way == 1 else None

    @property
    def suspects(self) -> range:
        """The rows that were under way, and the one that came next."""
        return range(self.done, self.drawn + 1)


class Journal:
    """The position of a running attempt, in a file of 32 bytes that two processes map into their memory.

    Args:
        path: of the file; None: nobody asks, and nothing is kept.
    """

    _LAYOUT = struct.Struct("=qqqq")

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._memory: Any = bytearray(self._LAYOUT.size)
        if path is not None:
            with path.open("r+b") as file:
                self._memory = mmap.mmap(file.fileno(), self._LAYOUT.size)

    @classmethod
    def create(cls, path: Path) -> "Journal":
        """A new one in a file."""
        path.write_bytes(bytes(cls._LAYOUT.size))
        return cls(path)

    @property
    def position(self) -> Position:
        """Where the attempt stands."""
        drawn, done, reading, ended = self._LAYOUT.unpack_from(self._memory)
        return Position(drawn=drawn, done=done, reading=bool(reading), ended=bool(ended))

    def note(self, drawn: int, done: int, *, reading: bool = False, ended: bool = False) -> None:
        """Notes where the attempt stands."""
        self._LAYOUT.pack_into(self._memory, 0, drawn, done, reading, ended)


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A row that is not tried any more, or all rows from one on.

    Attributes:
        number: of the row in its task, counted from 0.
        reason: a code of ``schemas.failures.Reason``.
        message: why, for a person.
        rest: whether the input is not read on from here.
    """

    number: int
    reason: str
    message: str
    rest: bool = False


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How a task is tried.

    Attributes:
        journal: where its position is noted.
        set_aside: rows that are not tried, by their number in the task, counted from 0.
        alone: rows during which nothing else is under way.
        probe: rows that are tried, alone and without a commit, to see whether one of them ends the process;
            None: the task is done.
    """

    journal: Journal = field(default_factory=Journal)
    set_aside: Mapping[int, SetAside] = field(default_factory=dict)
    alone: tuple[range, ...] = ()
    probe: range | None = None

    def outcomes(
        self,
        rows: Iterable[Row],
        process: Callable[[Iterator[Any]], Iterable[Outcome]],
        fail: Callable[[Row | None, SetAside], Any],
    ) -> Iterator[Outcome]:
        """Yields the outcome of each row, in order.

        Args:
            rows: of the task.
            process: makes one outcome of each row, in order, and passes on what ``fail`` makes.
            fail: makes the failure of a row that is set aside; of None, that of the rest of the input.

        Raises:
            Interrupted: the process was asked to stop.
        """
        drawn = _Drawn(self, rows, fail)
        while True:
            segment = drawn.segment()
            if segment is None:
                return
            for outcome in process(segment):
                interruption.check()
                yield outcome
                drawn.count_done()


class _Drawn:
    """The rows of an attempt as they are drawn and done, in segments that are processed one after the other."""

    def __init__(self, attempt: Attempt, rows: Iterable[Any], fail: Callable[[Any, SetAside], Any]) -> None:
        self._attempt, self._rows, self._fail = attempt, iter(rows), fail
        self._drawn = self._done = 0
        self._ended = False

    def segment(self) -> Iterator[Any] | None:
        """The rows up to the next one that is to be alone, or such a row; None after the last."""
        probe = self._attempt.probe
        while probe is not None and self._drawn < probe.start and self._next() is not None:
            self.count_done()
        first = None if probe is not None and self._drawn >= probe.stop else self._next()
        if first is None:
            self._attempt.journal.note(self._drawn, self._done, ended=True)
            return None
        return iter(first) if self._is_alone(self._drawn - 1) else self._following(first)

    def count_done(self) -> None:
        """Notes that one more row has its outcome."""
        self._done += 1
        self._note()

    def _following(self, row: tuple[Any] | None) -> Iterator[Any]:
        while row is not None:
            yield row[0]
            row = None if self._is_alone(self._drawn) else self._next()

    def _next(self) -> tuple[Any] | None:
        """The next row, boxed, for a row can be anything."""
        if self._ended:
            return None
        aside = self._attempt.set_aside.get(self._drawn)
        if aside is not None and aside.rest:
            self._ended = True
            row = self._fail(None, aside)
        else:
            self._note(reading=True)
            try:
                row = next(self._rows)
            except StopIteration:
                self._ended = True
                self._note()
                return None
            if aside is not None:
                row = self._fail(row, aside)
        self._drawn += 1
        self._note()
        return (row,)

    def _is_alone(self, number: int) -> bool:
        attempt = self._attempt
        return attempt.probe is not None or any(number in rows for rows in attempt.alone)

    def _note(self, *, reading: bool = False) -> None:
        self._attempt.journal.note(self._drawn, self._done, reading=reading)
