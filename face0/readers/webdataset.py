"""Tars as webdataset and img2dataset write them: ``key.jpg`` beside ``key.txt`` and ``key.json``.

A row is a run of members with the same path up to the last dot; the directory belongs to the key. One tar is one
split: a tar has no index, so a part of it costs as much reading as the whole.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from face0.errors import UsageError
from face0.images.formats import IMAGE_EXTENSIONS
from face0.io.storage import STORAGE_ERRORS, open_uri
from face0.readers.captions import SIDECAR_EXTENSIONS, sidecar_caption, well_formed
from face0.readers.failures import failed_row, unreadable_rest
from face0.readers.samples import Columns, Sample, Split
from face0.readers.uris import split_extension
from schemas.failures import Failure, Reason

ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

# A larger member is no photograph, and would have to be held in memory.
MAX_MEMBER_BYTES = 256 * 2**20

# tarfile copies what is left of this buffer at every header, and goes to the file for every one of it.
_BUFFER_BYTES = 64 * 2**10


def plan(uri: str, size: int, columns: Columns, rows_per_task: int) -> Iterator[Split]:  # noqa: ARG001
    """One split: the whole tar. Its captions' key is looked for in each row, so there is nothing to refuse here."""
    yield Split(reader="webdataset", uri=uri, size=size)


def read(split: Split, columns: Columns) -> Iterator[Sample | Failure]:
    """Streams the rows of a tar, holding one row at a time.

    Where the tar breaks off, the rows before come out, then one Failure for all that was left. A row that lacks its
    caption at that point belongs to what was left.
    """
    row: _Row | None = None
    try:
        for name, member, extension, content in _contents(split.uri):
            key = split_extension(name)[0]
            if row is None or row.key != key:
                if row is not None:
                    yield from _results(row, split.uri, columns)
                row = _Row(key=key, first=name)
            _add(row, split.uri, name, extension, member, content)
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
        return sidecar_caption(self.sidecars, columns.caption)

    def is_whole(self, columns: Columns) -> bool:
        """Whether what may follow cannot change the row: it has failed, or has both image and caption."""
        return bool(self.failures) or (self.image is not None and self.caption(columns) is not None)


def _add(row: _Row, uri: str, name: str, extension: str, member: tarfile.TarInfo, content: bytes | None) -> None:
    """Puts a member where it belongs in its row."""
    source = f"{uri}#{name}"
    is_image = extension in IMAGE_EXTENSIONS
    if is_image and row.has_image:
        message = f"{name} is a second image under the key {row.key!r}"
        row.extra_images.append(failed_row(row.key, source, Reason.DUPLICATE_KEY, message))
        return
    row.has_image |= is_image
    if not is_image and extension not in SIDECAR_EXTENSIONS:
        return
    if content is not None:
        if is_image:
            row.image = (name, content)
        else:
            row.sidecars[extension] = content
    elif not member.isreg():
        message = f"{name} is a link or a device, which a stream of the tar cannot follow"
        row.failures.append(failed_row(row.key, source, Reason.UNSUPPORTED, message))
    else:
        message = f"{name} has {member.size} bytes, more than the {MAX_MEMBER_BYTES} that are read of one member"
        row.failures.append(failed_row(row.key, source, Reason.TOO_LARGE, message))


def _results(row: _Row, uri: str, columns: Columns) -> Iterator[Sample | Failure]:
    """What a row comes to: itself or what it failed of, and one Failure for each image too many."""
    if row.failures:
        yield row.failures[0]
    elif row.image is None:
        message = f"no image lies beside {row.first}"
        yield failed_row(row.key, f"{uri}#{row.first}", Reason.NO_IMAGE, message)
    else:
        name, data = row.image
        yield Sample(key=row.key, source=f"{uri}#{name}", caption=row.caption(columns), data=data)
    yield from row.extra_images


class _Broken(Exception):
    """The rest of a tar cannot be read, because of ``cause``."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _contents(uri: str) -> Iterator[tuple[str, tarfile.TarInfo, str, bytes | None]]:
    """The members that count, as (name, header, extension, content); no content where it is not to be read.

    Raises:
        _Broken: the file is no tar, or breaks off.
        UsageError: the protocol is not installed.
        OSError: of the storage: there is no such file, or it cannot be read now.
    """
    try:
        with open_uri(uri) as file, _open_tar(file) as tar:
            while (member := tar.next()) is not None:
                # tarfile keeps every header it has seen, and nothing here goes back.
                tar.members.clear()  # type: ignore[attr-defined]
                name = well_formed(member.name.removeprefix("./"))
                if member.isdir() or _is_metadata(name):
                    continue
                extension = split_extension(name)[1]
                yield name, member, extension, _content(tar, member, extension)
            _check_end(tar)
    except (UsageError, MemoryError, *STORAGE_ERRORS):
        raise
    # Corrupt bytes come out of tarfile and the decompressors as ReadError, OSError, EOFError, zlib.error, LZMAError,
    # ValueError, TypeError...: whatever it is, the rest cannot be read. GeneratorExit is no Exception and passes.
    except Exception as error:
        raise _Broken(error) from error


class _StrictHeader(tarfile.TarInfo):
    """Tells the end of an archive from its breaking off, which tarfile takes for the same."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> "_StrictHeader":
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            raise tarfile.ReadError("the file stops without an end-of-archive marker") from None
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"corrupt header: {error}") from error


def _open_tar(file: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=file, mode="r|*", bufsize=_BUFFER_BYTES, tarinfo=_StrictHeader)


def _is_metadata(name: str) -> bool:
    """Whether a member was left by macOS or by the tar program itself."""
    *folders, base = name.split("/")
    return base.startswith("._") or base == ".DS_Store" or any(part.startswith("PaxHeader") for part in folders)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, extension: str) -> bytes | None:
    """The bytes of an image or a sidecar. None: of no use, too large, or no file."""
    wanted = extension in IMAGE_EXTENSIONS or extension in SIDECAR_EXTENSIONS
    if not wanted or not member.isreg() or member.size > MAX_MEMBER_BYTES:
        return None
    file = tar.extractfile(member)
    assert file is not None, "a regular member has content"
    return file.read()


def _check_end(tar: tarfile.TarFile) -> None:
    """Raises ReadError if anything but zeros follows the end marker: a second tar, or a hole in this one."""
    stream = tar.fileobj
    assert stream is not None, "the tar is open"
    while block := stream.read(_BUFFER_BYTES):
        if block.count(0) != len(block):
            raise tarfile.ReadError("there is data behind the end-of-archive marker")
