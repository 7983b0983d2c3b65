"""Tars as webdataset and img2dataset write them: ``key.jpg`` beside ``key.txt`` and ``key.json``.

A row is a run of members with the same path up to the last dot; the directory belongs to the key. One tar is one
split: a tar has no index, so a part of it costs as much reading as the whole.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field

from face0.errors import UsageError
from face0.images.formats import IMAGE_EXTENSIONS
from face0.io.storage import STORAGE_ERRORS, open_uri
from face0.io.text import well_formed
from face0.readers.access import NOTHING_MORE, Access
from face0.readers.bounds import MAX_IMAGE_BYTES, MAX_SIDECAR_BYTES
from face0.readers.captions import SIDECAR_EXTENSIONS, sidecar_caption
from face0.readers.failures import failed_row, unreadable_rest
from face0.readers.further_columns import sidecar_values
from face0.readers.samples import Columns, Sample, Split
from face0.readers.tars import Tar, open_tar
from face0.readers.uris import split_extension
from face0.readers.values import NoText
from schemas.failures import Failure, Reason

ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def plan(
    uri: str,
    size: int,
    columns: Columns,
    rows_per_task: int,
    access: Access = NOTHING_MORE,
) -> Iterator[Split]:
    """One split: the whole tar. Its captions' key is looked for in each row, so there is nothing to refuse here."""
    yield Split(reader="webdataset", uri=uri, size=size)


def read(split: Split, columns: Columns, access: Access = NOTHING_MORE) -> Iterator[Sample | Failure]:
    """Streams the rows of a tar, holding one row at a time.

    Where the tar breaks off, the rows before come out, then one Failure for all that was left. A row that lacks its
    caption at that point belongs to what was left.
    """
    row: _Row | None = None
    try:
        for name, extension, content in _contents(split.uri):
            key = split_extension(name)[0]
            if row is None or row.key != key:
                if row is not None:
                    yield from _results(row, split.uri, columns)
                row = _Row(key=key, first=name)
            _add(row, split.uri, name, extension, content)
    except _Broken as error:
        if row is not None and row.is_whole(columns):
            yield from _results(row, split.uri, columns)
        yield unreadable_rest(split.uri, error.cause)
        return
    if row is not None:
        yield from _results(row, split.uri, columns)


@dataclass(kw_only=True)
class _Row:
    """The members of one row, as far as they have been read."""

    key: str
    first: str  # name of the first member
    image: tuple[str, bytes] | None = None  # name and content
    has_image: bool = False  # also where the image could not be taken
    sidecars: dict[str, bytes] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    extra_images: list[Failure] = field(default_factory=list)

    def caption(self, columns: Columns) -> str | None:
        return sidecar_caption(self.sidecars, columns.caption, columns.encoding)

    def is_whole(self, columns: Columns) -> bool:
        """Whether what may follow cannot change the row: it has failed, or has both image and caption."""
        try:
            return bool(self.failures) or (self.image is not None and self.caption(columns) is not None)
        except NoText:
            return True


def _add(row: _Row, uri: str, name: str, extension: str, content: "bytes | _NotRead | None") -> None:
    """Puts a member where it belongs in its row."""
    source = f"{uri}#{name}"
    is_image = extension in IMAGE_EXTENSIONS
    if is_image and row.has_image:
        message = f"{name} is a second image under the key {row.key!r}"
        row.extra_images.append(failed_row(row.key, source, Reason.DUPLICATE_KEY, message))
        return
    row.has_image |= is_image
    if isinstance(content, _NotRead):
        row.failures.append(failed_row(row.key, source, content.reason, f"{name} {content.why}"))
    elif content is not None and is_image:
        row.image = (name, content)
    elif content is not None:
        row.sidecars[extension] = content


def _results(row: _Row, uri: str, columns: Columns) -> Iterator[Sample | Failure]:
    """What a row comes to: itself or what it failed of, and one Failure for each image too many."""
    if row.failures:
        yield row.failures[0]
    elif row.image is None:
        message = f"no image lies beside {row.first}"
        yield failed_row(row.key, f"{uri}#{row.first}", Reason.NO_IMAGE, message)
    else:
        name, data = row.image
        source = f"{uri}#{name}"
        try:
            values = sidecar_values(row.sidecars, columns.also, columns.encoding)
            yield Sample(key=row.key, source=source, caption=row.caption(columns), data=data, values=values)
        except NoText as error:
            yield error.failure(row.key, source)
        except MemoryError:
            message = "the caption beside it does not fit into memory"
            yield failed_row(row.key, source, Reason.OUT_OF_MEMORY, message)
    yield from row.extra_images


class _Broken(Exception):
    """The rest of a tar cannot be read, because of ``cause``."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True)
class _NotRead:
    """Why an image or a caption is not read: the reason, and the message after the member's name."""

    reason: Reason
    why: str


def _contents(uri: str) -> Iterator[tuple[str, str, bytes | _NotRead | None]]:
    """The members that count, as (name, extension, content); no content where it is of no use.

    Raises:
        _Broken: the file is no tar, or breaks off.
        UsageError: the protocol is not installed.
        OSError: of the storage: there is no such file, or it cannot be read now.
    """
    try:
        with open_uri(uri) as file, open_tar(file) as tar:
            for member in tar.members_in_order():
                name = well_formed(member.name.removeprefix("./"))
                if member.isdir() or _is_metadata(name):
                    continue
                extension = split_extension(name)[1]
                yield name, extension, _content(tar, member, extension)
    except (UsageError, *STORAGE_ERRORS):
        raise
    # Whatever it is, the rest cannot be read. GeneratorExit is no Exception and passes.
    except Exception as error:
        raise _Broken(error) from error


def _is_metadata(name: str) -> bool:
    """Whether a member was left by macOS or by the tar program itself."""
    *folders, base = name.split("/")
    return base.startswith("._") or base == ".DS_Store" or any(part.startswith("PaxHeader") for part in folders)


def _content(tar: Tar, member: tarfile.TarInfo, extension: str) -> bytes | _NotRead | None:
    """The bytes of an image or a sidecar, or why they are not read; None: they are of no use."""
    if extension not in IMAGE_EXTENSIONS and extension not in SIDECAR_EXTENSIONS:
        return None
    if not member.isreg():
        return _NotRead(Reason.UNSUPPORTED, "is a link or a device, which a stream of the tar cannot follow")
    limit = MAX_IMAGE_BYTES if extension in IMAGE_EXTENSIONS else MAX_SIDECAR_BYTES
    if member.size > limit:
        return _NotRead(Reason.TOO_LARGE, f"has {member.size} bytes, more than the {limit} that are read of one")
    try:
        file = tar.extractfile(member)
        assert file is not None, "a regular member has content"
        return file.read()
    except MemoryError:
        return _NotRead(Reason.OUT_OF_MEMORY, "does not fit into memory")
