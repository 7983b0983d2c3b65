"""What a reader is given and what it yields: the one interface of all inputs."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

from face0.io.names import kept_key, kept_source
from face0.io.secrets import public
from face0.readers.access import NOTHING_MORE, Access
from face0.readers.further_columns import Value
from schemas.failures import Failure, Reason, Stage


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What to read of the rows, and how: names of columns, text, files beside images.

    A name that is None is found by convention (see ``face0.readers.columns``).

    Attributes:
        image: bytes of images.
        caption: captions; for JSON beside an image, the key of the caption.
        url: URIs of images.
        key: keys of rows.
        also: further columns, whose values come along with each row.
        header: the columns of CSV and TSV that have no header of their own. None: their first line is one.
        encoding: of text that is neither UTF-8 nor, as far as can be told, UTF-16 or UTF-32. None: it is not known.
        caption_ending: of the files beside images that hold captions, without its first dot. None: those of
            ``face0.readers.captions.caption_endings``.
        image_member: ending of the image that is read where several have one key. None: the first by name.
    """

    image: str | None = None
    caption: str | None = None
    url: str | None = None
    key: str | None = None
    also: tuple[str, ...] | None = None
    header: tuple[str, ...] | None = None
    encoding: str | None = None
    caption_ending: str | None = None
    image_member: str | None = None


@dataclass(frozen=True, kw_only=True)
class Split:
    """One task's share of an input: a file, or a range of it in the reader's own unit.

    Attributes:
        reader: a name of ``face0.readers.READERS``.
        uri: of the input.
        size: bytes of the file when it was planned.
        start: where the split begins, in the unit of the reader.
        stop: where it ends, exclusive; None: at the end of the file.
        first_row: row number, in the file, of the first row in this split.
        rows: how many there are, where that is known without reading.
        names: the files of a folder that has no list of its own.
        version: what the file system said of the file, or of all ``names``, when it was planned: see
            ``face0.readers.versions``. Empty: it said nothing.
        sha256: of the file, in hexadecimal, where planning reads all of it; empty elsewhere.
    """

    reader: str
    uri: str
    size: int
    start: int = 0
    stop: int | None = None
    first_row: int = 0
    rows: int | None = None
    names: tuple[str, ...] = ()
    version: str = ""
    sha256: str = ""

    @property
    def task_id(self) -> str:
        """Names the outputs: readable, and unique by what is read of the file, whichever version of it is there."""
        of_version = ("size", "rows", "first_row", "version", "sha256")
        content = {name: value for name, value in asdict(self).items() if name not in of_version}
        content["uri"] = uri = public(self.uri)  # a renewed signature makes no new task
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", PurePosixPath(uri.rstrip("/")).name.split(".")[0])[:40]
        return f"{stem or 'input'}-{self.first_row:08d}-{digest}"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One captioned image, its bytes at hand (``data``) or still to be fetched (``uri``).

    Attributes:
        key: names the row; in its public form, as it is kept.
        source: "URI" of the image, or "URI#member" of its container; likewise.
        caption: as it was read; None: there is none.
        data: bytes of the image file; None: still to be fetched.
        uri: where to fetch it; None: ``data`` is at hand.
        within: URI of the folder of the input that named it: what lies below may be fetched. None: there is none.
        values: of the columns ``Columns.also``, those that the row has.
        others: further images of this key, which are not read.
        hint: what may be why there is no caption: a part of a sentence, the same for many rows.
    """

    key: str
    source: str
    caption: str | None
    data: bytes | None = None
    uri: str | None = None
    within: str | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    others: int = 0
    hint: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", kept_key(self.key))
        object.__setattr__(self, "source", kept_source(self.source))

    def failure(self, stage: Stage, reason: Reason, message: str) -> Failure:
        """What is kept of the sample when it cannot be used; the message is a sentence for a person."""
        return Failure(key=self.key, source=self.source, stage=stage, reason=reason, message=message)


class Reader(Protocol):
    """A kind of input. Implemented by the modules of this package."""

    def plan(
        self, uri: str, size: int, columns: Columns, rows_per_task: int, access: Access = NOTHING_MORE
    ) -> Iterator[Split]:
        """Cuts one input into tasks. Reads headers and footers, never images. Raises UsageError."""

    def read(self, split: Split, columns: Columns, access: Access = NOTHING_MORE) -> Iterator[Sample | Failure]:
        """Streams the rows of a split in a fixed order; memory does not grow with their number.

        ``access`` is what may be read beside what lies below the input, where its own links or names lead further.

        A row that cannot be read is a Failure in its place; a file that its format rejects, from there on, is one
        Failure at its end. Raises OSError where storage is at fault: what it did not give is in no row.
        """
