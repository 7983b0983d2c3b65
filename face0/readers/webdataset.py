"""Tars as webdataset and img2dataset write them: ``key.jpg`` beside ``key.txt`` and ``key.json``.

A key is a member's path up to the first dot of its name; the directory belongs to it. What the members under a key make
is said in ``face0.readers.parts``: ``k.jpg``, ``k.seg.png`` and ``k.txt`` are one row, ``a.1.jpg``, ``a.1.txt``,
``a.2.jpg`` and ``a.2.txt`` are two. Members of a row should lie together. Where they do not, those whose other half has
not come yet are held, up to a bound.

One tar is one split: a tar has no index, so a part of it costs as much reading as the whole.
"""

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from face0.errors import UsageError
from face0.io.storage import STORAGE_ERRORS, open_uri
from face0.io.text import composed, well_formed
from face0.readers.access import NOTHING_MORE, Access
from face0.readers.bounds import MAX_IMAGE_BYTES, MAX_SIDECAR_BYTES, MAX_WAITING_BYTES, MAX_WAITING_ROWS
from face0.readers.failures import failed_row, unread_image, unreadable_rest
from face0.readers.further_columns import sidecar_values
from face0.readers.parts import RowFiles, caption_of, is_image, is_unread, rows_of_key, split_caption
from face0.readers.samples import Columns, Sample, Split
from face0.readers.tars import Tar, open_tar
from face0.readers.uris import split_at_first_dot, split_extension
from face0.readers.values import NoText
from schemas.failures import Failure, Reason

_PACKED = "gz bz2 xz lzma zst zstd"
ENDINGS = (".tar", *(f".tar.{ending}" for ending in _PACKED.split()), ".tgz", ".tbz2", ".tbz", ".txz", ".tlz", ".tzst")

_APART = "none lies beside it in the tar, where the members of a row must lie together: `tar --sort=name` packs it so"


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
    """Streams the rows of a tar, holding one row at a time, and those that lack a half.

    A row that lacks one comes out where it does come, at the end, or where more wait than are held. Where the tar
    breaks off, the rows before come out, then one Failure for all that was left; a row that is not whole at that point
    belongs to what was left.
    """
    rows = _Rows(split.uri, columns)
    try:
        for name, content in _contents(split.uri, columns):
            yield from rows.add(name, content)
    except _Broken as error:
        yield from rows.end(broken=True)
        yield unreadable_rest(split.uri, error.cause)
        return
    yield from rows.end()


@dataclass(frozen=True)
class _NotRead:
    """Why an image or a caption is not read: the reason, and the message after the member's name."""

    reason: Reason
    why: str


_Content = bytes | _NotRead | None


@dataclass
class _Group:
    """The members under a key, in whichever Unicode form, as far as they have been read: their content by name."""

    key: str
    members: dict[str, _Content] = field(default_factory=dict)
    bytes: int = 0

    @property
    def has_failed(self) -> bool:
        """Whether a member could not be read."""
        return any(isinstance(content, _NotRead) for content in self.members.values())

    def add(self, name: str, content: _Content) -> None:
        """Adds a member, whose name is a new one."""
        self.members[name] = content
        self.bytes += _HEADER_BYTES + (len(content) if isinstance(content, bytes) else 0)

    def take(self, names: Sequence[str], key: str) -> "_Group":
        """Takes members out, as a group of their own."""
        taken = _Group(key)
        for name in names:
            taken.add(name, self.members.pop(name))
        self.bytes -= taken.bytes
        return taken


_MAX_MEMBERS = 10_000  # under one key: which of them belong together is looked for among all
_HEADER_BYTES = 512  # that a member takes at least, in memory too


class _Rows:
    """Makes rows of the members of a tar."""

    def __init__(self, uri: str, columns: Columns) -> None:
        self._uri, self._columns = uri, columns
        self._group = _Group("")
        self._stem = ""  # of the last member: its path up to the last dot
        self._waiting: dict[str, _Group] = {}
        self._waiting_bytes = 0
        self._given_up: set[int] = set()  # hashes of keys that waited too long

    def add(self, name: str, content: _Content) -> Iterator[Sample | Failure]:
        """Takes the next member in; yields the rows that end before it."""
        key, stem = split_at_first_dot(name)[0], split_extension(name)[0]
        if composed(key) != composed(self._group.key):
            yield from self._close()
            self._group = self._waiting.pop(composed(key), _Group(key))
            self._waiting_bytes -= self._group.bytes
        # All of a tar may lie under one key: photo.1.jpg, photo.1.txt, photo.2.jpg, ...
        elif self._stem not in (key, stem) and not stem.startswith(f"{self._stem}."):
            yield from self._close_stem()
        self._stem = stem
        if name in self._group.members:
            if is_image(name):
                message = f"{name} lies in the tar more than once: the first counts"
                yield failed_row(self._group.key, f"{self._uri}#{name}", Reason.DUPLICATE_KEY, message)
            return
        self._group.add(name, content)
        if self._group.bytes > MAX_IMAGE_BYTES + MAX_WAITING_BYTES or len(self._group.members) > _MAX_MEMBERS:
            yield from self._results(self._group, _APART)
            self._group = _Group(key)

    def end(self, *, broken: bool = False) -> Iterator[Sample | Failure]:
        """Yields the rows that are left; of a tar that breaks off the last one only if it is whole."""
        if not broken or self._has_captions(self._group):
            yield from self._close()
        for group in self._waiting.values():
            yield from self._results(group)
        self._waiting = {}

    def _close(self) -> Iterator[Sample | Failure]:
        """Yields the rows of the group at hand if they are whole, else lets it wait for what they lack."""
        group, self._group = self._group, _Group("")
        if not group.members:
            return
        rows = self._rows_of(group)
        if all(row.is_whole for row in rows) or group.has_failed:
            yield from (self._result(row, group) for row in rows)
            return
        if hash(composed(group.key)) in self._given_up:
            # The row has failed already, if this is its caption.
            if any(is_image(name) for name in group.members):
                yield from self._results(group, _APART)
            return
        self._waiting[composed(group.key)] = group
        self._waiting_bytes += group.bytes
        while self._waiting_bytes > MAX_WAITING_BYTES or len(self._waiting) > MAX_WAITING_ROWS:
            oldest = self._waiting.pop(next(iter(self._waiting)))
            self._waiting_bytes -= oldest.bytes
            if len(self._given_up) < MAX_WAITING_ROWS:
                self._given_up.add(hash(composed(oldest.key)))
            yield from self._results(oldest, _APART)

    def _close_stem(self) -> Iterator[Sample | Failure]:
        """Yields the row of the last member's name, if it is whole without the others under its key."""
        names = [name for name in self._group.members if name.startswith(f"{self._stem}.")]
        rows = rows_of_key(self._stem, names, self._columns)
        if all(row.is_whole for row in rows):
            yield from self._results(self._group.take(names, self._stem))

    def _has_captions(self, group: _Group) -> bool:
        """Whether what may follow cannot change the rows: they have failed, or have both image and caption."""
        rows = self._rows_of(group)
        try:
            return group.has_failed or all(
                row.is_whole and caption_of(_sidecars(row, group), self._columns) is not None for row in rows
            )
        except NoText:
            return True

    def _rows_of(self, group: _Group) -> list[RowFiles]:
        return rows_of_key(group.key, list(group.members), self._columns)

    def _results(self, group: _Group, hint: str = "") -> Iterator[Sample | Failure]:
        """What the rows of a group come to: themselves, or what they failed of."""
        return (self._result(row, group, hint) for row in self._rows_of(group))

    def _result(self, row: RowFiles, group: _Group, hint: str = "") -> Sample | Failure:
        name = row.image or next(iter([*row.names, *group.members]))
        source = f"{self._uri}#{name}"
        for part in row.names:
            content = group.members[part]
            if isinstance(content, _NotRead):
                return failed_row(row.key, f"{self._uri}#{part}", content.reason, f"{part} {content.why}")
        if row.image is None:
            return failed_row(row.key, source, Reason.NO_IMAGE, row.without_image(name))
        if is_unread(row.image):
            return unread_image(row.key, source, name)
        data = group.members[name]
        assert isinstance(data, bytes), "images are read"
        try:
            sidecars = _sidecars(row, group)
            caption = caption_of(sidecars, self._columns)
            values = sidecar_values(sidecars, self._columns.also, self._columns.encoding)
        except NoText as error:
            return error.failure(row.key, source)
        except MemoryError:
            message = "the caption beside it does not fit into memory"
            return failed_row(row.key, source, Reason.OUT_OF_MEMORY, message)
        hint = "" if caption else row.hint or hint
        return Sample(
            key=row.key,
            source=source,
            caption=caption,
            data=data,
            values=values,
            others=row.others,
            hint=hint,
        )


def _sidecars(row: RowFiles, group: _Group) -> dict[str, bytes]:
    contents = ((ending, group.members[name]) for ending, name in row.sidecars.items())
    return {ending: content for ending, content in contents if isinstance(content, bytes)}


class _Broken(Exception):
    """The rest of a tar cannot be read, because of ``cause``."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _contents(uri: str, columns: Columns) -> Iterator[tuple[str, _Content]]:
    """The members that count, as (name, content); no content where it is of no use.

    Raises:
        _Broken: the file is no tar, or breaks off.
        UsageError: the protocol is not installed.
        OSError: of the storage: there is no such file, or it cannot be read now.
    """
    try:
        with open_uri(uri) as file, open_tar(file) as tar:
            for member in tar.members_in_order():
                name = well_formed(member.name.removeprefix("./"))
                if not member.isdir() and not _is_metadata(name):
                    yield name, _content(tar, member, name, columns)
    except (UsageError, *STORAGE_ERRORS):
        raise
    # Whatever it is, the rest cannot be read. GeneratorExit is no Exception and passes.
    except Exception as error:
        raise _Broken(error) from error


def _is_metadata(name: str) -> bool:
    """Whether a member was left by macOS or by the tar program itself."""
    *folders, base = name.split("/")
    return base.startswith("._") or base == ".DS_Store" or any(part.startswith("PaxHeader") for part in folders)


def _content(tar: Tar, member: tarfile.TarInfo, name: str, columns: Columns) -> _Content:
    """The bytes of an image or a caption, or why they are not read; None: they are of no use."""
    if is_unread(name) or not (is_image(name) or split_caption(name, columns)):
        return None
    if not member.isreg():
        return _NotRead(Reason.UNSUPPORTED, "is a link or a device, which a stream of the tar cannot follow")
    limit = MAX_IMAGE_BYTES if is_image(name) else MAX_SIDECAR_BYTES
    if member.size > limit:
        return _NotRead(Reason.TOO_LARGE, f"has {member.size} bytes, more than the {limit} that are read of one")
    try:
        file = tar.extractfile(member)
        assert file is not None, "a regular member has content"
        return file.read()
    except MemoryError:
        return _NotRead(Reason.OUT_OF_MEMORY, "does not fit into memory")
