"""Progress of long work on standard error: a bar in place on a terminal, elsewhere a plain line now and then."""

import sys
from collections.abc import Iterable
from typing import Any, TextIO

from tqdm import tqdm

LINE = "{n:,}/{total:,} {unit}{postfix}, {remaining} left"


class ProgressBar(tqdm):
    """tqdm's bar, for logs too: give it items to go through, or call ``update``.

    Args:
        items: to go through; None: ``update`` says how many are done.
        total: number of items.
        unit: what they are, in the plural.
        file: where to; None: standard error.

    Attributes:
        live: whether that is a terminal.
    """

    monitor_interval = 0  # no thread of tqdm's own

    def __init__(
        self, items: Iterable[Any] | None = None, *, total: int, unit: str, file: TextIO | None = None
    ) -> None:
        file = file or sys.stderr
        self.live = file.isatty()
        super().__init__(
            items,
            total=total,
            unit=unit,
            file=file,
            leave=self.live,
            mininterval=0.5 if self.live else 30,
            miniters=1,
            smoothing=0,
            dynamic_ncols=True,
            bar_format=f"{{l_bar}}{{bar}}| {LINE}" if self.live else LINE,
        )

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Writes the line; called by tqdm. Elsewhere than on a terminal there is nothing to clear."""
        if self.live:
            return bool(super().display(msg, pos))
        if msg is None:
            self.fp.write(f"{self}\n")
            self.fp.flush()
        return False

    def close(self) -> None:
        """Writes the last line. Called at the end of the items, or of a ``with``."""
        if not self.live and not self.disable:
            self.display()
        super().close()
