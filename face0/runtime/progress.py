"""Progress of long work on standard error: a bar in place on a terminal, elsewhere a plain line now and then.

The library itself is silent: nothing is shown outside ``show_progress``, in which the jobs run.
"""

import io
import sys
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar

from tqdm import tqdm

T = TypeVar("T")

PATIENCE = 2.0  # seconds until work that is mostly short shows a bar
BETWEEN_LINES = 30.0  # seconds from one plain line to the next

_shown = False


@contextmanager
def show_progress() -> Iterator[None]:
    """Shows the progress of the library's long work within the block, as in a notebook.

    >>> with show_progress():
    ...     pass  # audit(...), open_shards(...), ...
    """
    global _shown
    before, _shown = _shown, True
    try:
        yield
    finally:
        _shown = before


class ProgressBar(tqdm):
    """tqdm's bar, for logs too: give it items to go through, or call ``update``.

    Args:
        items: to go through; None: ``update`` says how many are done.
        total: number of items; None: it is not known.
        unit: what they are, in the plural.
        file: where to; None: standard error, within ``show_progress``.
        patience: seconds until it is shown; a bar with patience is gone when it is done.
        done: items that are done already, by an earlier run.

    Attributes:
        live: whether that is a terminal.
        drawn: whether it was shown yet.
        rows: that were read, where the items hold rows; None: the items are what is counted.
        failed: rows or items that failed.
    """

    monitor_interval = 0  # no thread of tqdm's own

    def __init__(
        self,
        items: Iterable[Any] | None = None,
        *,
        total: int | None,
        unit: str,
        file: TextIO | None = None,
        patience: float = 0.0,
        done: int = 0,
    ) -> None:
        asked = file is not None or _shown
        file = file or _without_bars(sys.stderr)
        self.rows: int | None = None
        self.failed = 0
        self.drawn = False
        self._written: int | float | None = None  # what the last plain line said was done
        self.live = asked and _is_terminal(file)
        counts = "{n:,} {unit}" if total is None else "{n:,}/{total:,} {unit}"
        line = counts + "{postfix}{pace}" + ("" if total is None else ", {remaining} left")
        super().__init__(
            items,
            total=total,
            initial=done,
            unit=unit,
            file=file,
            leave=self.live and not patience,
            mininterval=0.5 if self.live else BETWEEN_LINES,
            miniters=1,
            smoothing=0,
            dynamic_ncols=True,
            delay=patience if self.live else min(patience, 1.0) * BETWEEN_LINES,
            disable=not asked or file is None,
            bar_format=f"{{l_bar}}{{bar}}| {line}" if self.live and total is not None else line,
        )

    @property
    def format_dict(self) -> dict[str, Any]:
        """What the line is made of: tqdm's, with the pace and what failed."""
        values: dict[str, Any] = super().format_dict
        done = values["n"] - values["initial"] if self.rows is None else self.rows
        rows = "" if self.rows is None else f", {self.rows:,} rows"
        pace = f", {done / values['elapsed']:,.1f}{'' if self.rows is None else ' rows'}/s" if done else ""
        failed = f", {self.failed:,} failed" if self.failed else ""
        return {**values, "pace": f"{rows}{pace}{failed}" if values["elapsed"] else rows + failed}

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Writes the line; called by tqdm. Elsewhere than on a terminal there is nothing to clear.

        Where nothing can be written any more the work goes on without.
        """
        self.drawn = self.drawn or msg is None
        try:
            if self.live:
                return bool(super().display(msg, pos))
            if msg is None:
                self.fp.write(f"{self}\n")
                self.fp.flush()
                self._written = self.n
        except (OSError, ValueError):
            self.live, self.disable = False, True
        return False

    def close(self) -> None:
        """Writes a last line where there is more to say. Called at the end of the items, or of a ``with``."""
        if self.drawn and not self.disable and not self.live and self._written != self.n:
            self.display()
        try:
            super().close()
        except (OSError, ValueError):
            self.live, self.disable = False, True


def tracked(items: Iterable[T], unit: str, total: int | None = None) -> Iterator[T]:
    """The items, with a bar if they take longer than a moment.

    Args:
        items: to go through.
        unit: what they are, in the plural.
        total: how many they are; None: their length, if they have one.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with ProgressBar(total=total, unit=unit, patience=PATIENCE) as bar:
        for item in items:
            yield item
            bar.update()


class AroundBars(io.TextIOBase):
    """A stream of text whose lines do not break a bar on a terminal: the bar is taken away and drawn again below.

    Args:
        stream: where the text goes.
    """

    def __init__(self, stream: TextIO | io.TextIOBase) -> None:
        self.stream = stream
        self._begun = ""  # of a line that is to come

    def write(self, text: str) -> int:
        """Writes what lines there are whole; the rest waits for its end while there is a bar."""
        if not _bars() or not self.stream.isatty():
            self._flush_begun()
            self.stream.write(text)
            return len(text)
        lines, newline, self._begun = (self._begun + text).rpartition("\n")
        if newline:
            with _taken_away():
                self.stream.write(lines + newline)
                self.stream.flush()
        return len(text)

    def flush(self) -> None:
        """Flushes what lies beneath."""
        if not _bars():
            self._flush_begun()
        self.stream.flush()

    def _flush_begun(self) -> None:
        begun, self._begun = self._begun, ""
        if begun:
            self.stream.write(begun)

    def writable(self) -> bool:
        """Returns True."""
        return True

    def isatty(self) -> bool:
        """Whether the stream beneath is a terminal."""
        return self.stream.isatty()

    def fileno(self) -> int:
        """The number of the file beneath."""
        return self.stream.fileno()

    def close(self) -> None:
        """Leaves the stream beneath open: it is another's."""
        self._flush_begun()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the stream beneath."""
        return str(self.stream.encoding)


def _bars() -> list[ProgressBar]:
    """The bars that stand on a terminal. A bar that begins or ends in another thread may be missed once."""
    bars = list(getattr(tqdm, "_instances", ()))
    return [bar for bar in bars if isinstance(bar, ProgressBar) and bar.live and bar.drawn]


@contextmanager
def _taken_away() -> Iterator[None]:
    """tqdm's ``external_write_mode``, which would draw bars too that are not to be seen yet."""
    with tqdm.get_lock():
        bars = _bars()
        for bar in bars:
            bar.clear(nolock=True)
        yield
        for bar in bars:
            bar.refresh(nolock=True)


def _without_bars(stream: Any) -> Any:
    return stream.stream if isinstance(stream, AroundBars) else stream


def _is_terminal(file: Any) -> bool:
    try:
        return bool(file is not None and file.isatty())
    except ValueError:  # closed
        return False
