"""Pictures of rows that failed, read from the input once more, where that is cheap and does no harm.

Only rows that failed before anybody looked at their image have one to show: it decodes as well as any other. They are
read from files of this machine, never from the web and not from storage that costs; by the readers and decoders of the
job, in a process of its own that may die of them, for no longer than SECONDS. Nobody has looked whose faces they show,
so there are none where people are left out (``--deny``) or were taken out (``face0 forget``).
"""

import io
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from PIL import Image

from face0.errors import StorageError, UsageError
from face0.images.decoding import decode
from face0.images.reading import BadImage
from face0.readers import planning
from face0.readers.fetching import Fetcher
from face0.readers.samples import Columns, Sample, Split
from face0.readers.versions import is_unchanged
from face0.reports.augmentation.lost import Lost
from face0.runtime.child_process import ChildDiedError, ChildProcess
from face0.runtime.interruption import interruption
from schemas.failures import Reason
from schemas.job import TaskStats

logger = logging.getLogger(__name__)

SHOWN = frozenset((Reason.NO_CAPTION, Reason.DUPLICATE_KEY))
DEADLY = (Reason.KILLED_WORKER, Reason.TIMED_OUT)  # tasks of such rows are not read again
SECONDS = 20.0  # for all
SIDE = 224  # pixels of the longer side

Name = tuple[str, str]  # key and source


class _TimeOver(Exception):
    pass


@dataclass(frozen=True, kw_only=True)
class FailedPictures:
    """Reads pictures of rows that failed.

    Attributes:
        planned: the tasks of the job.
        columns: as the job reads them.
        fetcher: the job's, for files beside the input.
        max_pixels: of an image.
    """

    planned: Sequence[Split]
    columns: Columns
    fetcher: Fetcher
    max_pixels: int

    def read(self, tasks: Mapping[str, TaskStats], lost: Sequence[Lost]) -> dict[Name, bytes]:
        """JPEGs of those examples that can be shown, by key and source."""
        splits = {split.task_id: split for split in self.planned}
        wanted: dict[str, set[Name]] = {}
        for example in (example for group in lost if group.reason in SHOWN for example in group.examples):
            split, stats = splits.get(example.task_id), tasks[example.task_id]
            if split is not None and is_local(split.uri) and not any(stats.reasons.get(name) for name in DEADLY):
                wanted.setdefault(example.task_id, set()).add(example.name)
        if not wanted:
            return {}
        child = ChildProcess(partial(_Reader, self.columns, self.fetcher, self.max_pixels))
        pictures: dict[Name, bytes] = {}
        until = time.monotonic() + SECONDS

        def check() -> None:
            interruption.check()
            if time.monotonic() > until:
                raise _TimeOver

        try:
            for task_id, names in wanted.items():
                pictures |= child.call(splits[task_id], names, until - time.monotonic(), check=check)
        # They are an extra: what the input does now is no failure of a job that is done.
        except (_TimeOver, ChildDiedError, UsageError, StorageError, OSError) as error:
            logger.info("not all rows that failed are pictured in the report: %s", error or "it took too long")
        finally:
            child.kill()
        return pictures


def is_local(uri: str) -> bool:
    """Whether a URI is of a file of this machine.

    >>> is_local("/data/a.tar"), is_local("file:///data/a.tar"), is_local("https://example.org/a.tar")
    (True, True, False)
    """
    return urlsplit(uri).scheme in ("", "file")


class _Reader:
    """Reads in the child."""

    def __init__(self, columns: Columns, fetcher: Fetcher, max_pixels: int) -> None:
        self._columns, self._fetcher, self._max_pixels = columns, fetcher, max_pixels

    def __call__(self, split: Split, names: set[Name], seconds: float) -> dict[Name, bytes]:
        """JPEGs of the rows of a split that have these names; of several of a name the last, which is the duplicate."""
        until = time.monotonic() + seconds
        if not is_unchanged(split):
            return {}
        pictures = {}
        for sample in self._samples(split, names):
            if (picture := self._picture(sample)) is not None:
                pictures[sample.key, sample.source] = picture
            if time.monotonic() > until:
                break
        return pictures

    def _samples(self, split: Split, names: set[Name]) -> Iterator[Sample]:
        for row in planning.read(split, self._columns, self._fetcher.access):
            if not isinstance(row, Sample) or (row.key, row.source) not in names:
                continue
            if row.data is not None:
                yield row
            elif row.uri is not None and is_local(row.uri):
                yield from (fetched for fetched in self._fetcher.fetch([row]) if isinstance(fetched, Sample))

    def _picture(self, sample: Sample) -> bytes | None:
        assert sample.data is not None
        try:
            decoded = decode(sample.data, max_pixels=self._max_pixels, smallest_side=SIDE)
        except BadImage:
            return None
        image = Image.fromarray(decoded.pixels)
        image.thumbnail((SIDE, SIDE))
        file = io.BytesIO()
        image.save(file, "JPEG", quality=80)
        return file.getvalue()
