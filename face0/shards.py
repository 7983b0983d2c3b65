"""Face shards as batches to train on: every sample once an epoch, in an order that any number of ranks agrees on.

Row groups are read ahead in threads, and images are decoded in threads rather than in worker processes: Pillow lets
other threads run while it decodes and resizes, and a thread hands over its pixels without a copy.

Images are not mirrored: the embedding of a mirrored face is another one, and the shards do not hold it.
"""

import hashlib
import io
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, reduce
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from face0 import storage
from face0.errors import UsageError
from face0.images import REDUCING_GAP
from face0.shard_order import EpochOrder
from face0.threads import ordered_map
from face0.work import OutputFolder
from schemas.face_shard import VERSION
from schemas.job import DataFile

T = TypeVar("T")

SCANNERS = 16  # threads that read the light columns, mostly waiting for storage
READERS = 4  # threads that read row groups to train on
READ_AHEAD = 8  # row groups, beyond those that are open
PART = 16  # images that a thread decodes in one go
# A JPEG is decoded at 1/2, 1/4 or 1/8 as long as this many times the resolution remains, and resized from there: on
# photographs within about 45 dB of a resize from all pixels, in half the time. Straight to the resolution it is 35 dB.
DRAFT_MARGIN = 1.9

_EMBEDDER = "face0.embedder."
_FACE = "faces.list.element."


@dataclass(frozen=True, kw_only=True)
class RowFilter:
    """Which rows are trained on. 0 is no limit; a row without a face fails a limit on faces."""

    min_face: float = 0.0  # pixels of the stored image: shorter side of the largest face's box
    min_score: float = 0.0  # of the largest face, 0..1
    min_caption: int = 0  # characters


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """Which of the rows that pass the filter are kept for evaluation, and with whom nothing is trained."""

    count: int = 256  # those with the lowest hash of their key
    # A row whose largest face has a cosine over this to a held-out row's shows the same person, probably, and is not
    # trained on either. Cosine of the embeddings less the mean of all.
    similarity: float = 0.4


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The n samples of a batch on one rank, without those whose image does not decode."""

    keys: list[str]
    captions: list[str]
    images: torch.Tensor  # uint8 [n, 3, resolution, resolution], RGB, channels last in memory
    faces: torch.Tensor  # float32 [n, slots, dim]: embeddings as stored, largest face first, zeros where there is none
    present: torch.Tensor  # bool [n, slots]: where there is one
    rows: torch.Tensor  # int64 [n]: which row each is of all that the folders hold, the same in every epoch
    positions: torch.Tensor  # int64 [n]: epoch * samples + place in the epoch
    failed: list[tuple[str, str]]  # (key, message) of the samples that are left out


class FaceShards:
    """The rows of one or several output folders of augment.

    At first the files' footers are read; for a filter also the columns that it looks at, and for a holdout the keys
    once and the embeddings twice. What stays in memory is a bit for each row.

    Args:
        uris: the folders. Their order, and the names of the files in them, have a part in the order of training.
        rows: which rows to train on.
        holdout: which of these to evaluate on.

    Attributes:
        embedder: how the embeddings were made: the shards' ``face0.embedder.*`` metadata, by the names after the dot.
        dim: length of an embedding.
        samples: rows to train on, 1 or more.
        summary: in words, how many rows there are and what became of them.
        fingerprint: changes with anything that positions depend on, but for the seed: files, filter and holdout.

    Raises:
        UsageError: no committed task; a file that is missing, or not what its stats say; several embedders; no rows.
    """

    def __init__(self, uris: Sequence[str], *, rows: RowFilter = RowFilter(), holdout: Holdout = Holdout()) -> None:
        shards = _opened(uris)
        self.embedder, self.dim = shards[0].embedder, shards[0].dim
        self.fingerprint = _fingerprint(shards, rows, holdout)
        sizes = [(shard.uri, index, size) for shard in shards for index, size in enumerate(shard.group_sizes)]
        begins = itertools.accumulate((size for _, _, size in sizes), initial=0)
        self._groups = [_Group(*named, begin) for named, begin in zip(sizes, begins, strict=False)]
        selection = _selection(shards, rows, holdout)
        self._selected, self._sizes, self._held = selection.bits, selection.sizes, selection.held
        self.samples, self.summary = int(self._sizes.sum()), selection.summary
        if not self.samples:
            raise UsageError(
                f"{', '.join(uris)}: no rows to train on ({self.summary}): "
                f"loosen {rows}, hold out fewer than {holdout.count}, or add folders"
            )

    def batches(
        self,
        *,
        batch: int,
        resolution: int,
        slots: int,
        seed: int,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        threads: int = 2,
    ) -> Iterator[Batch]:
        """Batches without end, epoch after epoch, each sample once an epoch.

        Batch s, over all ranks, holds the positions from ``start + s * batch`` on, below ``start + (s + 1) * batch``,
        and a rank gets those that leave ``rank`` when divided by ``world``. So what is trained on in a step depends on
        neither the number of ranks nor the threads, and a run goes on with ``start`` at the number of positions that
        it has done. Row groups that are done are not read again.

        A rank holds about LANES / gcd(world, LANES) row groups of images (half used up, on average) and READ_AHEAD
        more, and the pixels of two batches.

        Args:
            batch: samples over all ranks; a multiple of ``world``.
            resolution: pixels a side to which images are resized.
            slots: faces of each sample, the largest.
            seed: any integer.
            start: samples that all ranks together have done before.
            rank: this one, 0 or more and less than ``world``.
            world: number of ranks.
            threads: that decode.

        Raises:
            UsageError: ``batch`` cannot be divided among the ranks. While it goes on: a row group that does not read.
        """
        if batch < 1 or batch % world:
            raise UsageError(
                f"a batch of {batch} cannot be divided among {world} ranks: make it a multiple, {world} or more"
            )
        assert 0 <= rank < world
        assert start >= 0
        orders = lru_cache(maxsize=3)(lambda epoch: EpochOrder(self._sizes, seed=seed, epoch=epoch))
        positions = (
            first + (rank - first) % world + np.arange(0, batch, world) for first in itertools.count(start, batch)
        )
        uses = self._uses(orders, start, rank, world)
        return self._decoded(self._encoded(orders, positions, uses, resolution, slots), batch // world, threads)

    def held_out(self, *, resolution: int, slots: int, limit: int | None = None) -> Batch:
        """The held-out rows (the first ``limit`` of them) in the order of the hash of their keys.

        Their ``positions`` count from 0 in this order. Reads every row group that holds one of them.
        """
        held = self._held[:limit]
        samples = _Samples(np.arange(len(held)), resolution, slots, self.dim)

        def decode(group: int) -> None:
            places = np.flatnonzero(held[:, 0] == group)
            rows = _load(self._groups[group], held[places, 1], slots)
            for offset, place in enumerate(places.tolist()):
                samples.put(place, rows, offset)
                samples.decode(place, place + 1)

        for _ in ordered_map(decode, np.unique(held[:, 0]).tolist(), READERS, 2 * READERS):
            pass
        return samples.batch()

    def _uses(self, orders: Callable[[int], EpochOrder], start: int, rank: int, world: int) -> Iterator["_Needed"]:
        """What a rank has to read, epoch after epoch, in the order of need."""
        for epoch in itertools.count(start // self.samples):
            base = epoch * self.samples
            residue = (rank - base) % world
            for use in orders(epoch).uses(residue=residue, world=world, start=max(start - base, 0)):
                yield _Needed(epoch, use.group, base + use.first, base + use.last)

    def _encoded(
        self,
        orders: Callable[[int], EpochOrder],
        positions: Iterator[np.ndarray],
        uses: Iterator["_Needed"],
        resolution: int,
        slots: int,
    ) -> Iterator["_Samples"]:
        """The samples of each batch, their images still encoded. Reads ahead."""

        def read(use: _Needed) -> _Loaded:
            group = self._groups[use.group]
            rows = _rows(self._selected[use.group], group.size)
            return _load(group, rows[orders(use.epoch).rows(use.group)], slots)

        due, wanted = itertools.tee(uses)
        following = next(due)
        live: dict[tuple[int, int], tuple[_Loaded, int]] = {}
        loaded = ordered_map(read, wanted, READERS, READ_AHEAD)
        for each in positions:
            while following.first <= each[-1]:
                live[following.epoch, following.group] = next(loaded), following.last
                following = next(due)
            samples = _Samples(each, resolution, slots, self.dim)
            epochs, places = np.divmod(each, self.samples)
            for epoch in np.unique(epochs).tolist():
                index = np.flatnonzero(epochs == epoch)
                located = orders(epoch).locate(places[index])
                for i, group, offset in zip(index.tolist(), *(x.tolist() for x in located), strict=True):
                    samples.put(i, live[epoch, group][0], offset)
            live = {name: (rows, last) for name, (rows, last) in live.items() if last > each[-1]}
            yield samples

    def _decoded(self, encoded: Iterator["_Samples"], size: int, threads: int) -> Iterator[Batch]:
        """The batches, decoded ahead by as much as one."""

        def decode(part: tuple[_Samples, int]) -> _Samples:
            samples, begin = part
            samples.decode(begin, min(begin + PART, size))
            return samples

        begins = range(0, size, PART)
        parts = ((samples, begin) for samples in encoded for begin in begins)
        decoded = ordered_map(decode, parts, threads, threads + len(begins))
        for samples in itertools.islice(decoded, len(begins) - 1, None, len(begins)):
            yield samples.batch()


# --- The files


@dataclass(frozen=True, kw_only=True)
class _Shard:
    uri: str
    file: DataFile
    group_sizes: list[int]
    embedder: Mapping[str, str]
    dim: int


@dataclass(frozen=True, slots=True)
class _Group:
    """A row group."""

    uri: str
    index: int  # in its file
    size: int  # rows
    begin: int  # number of its first row, of all rows of the folders


def _opened(uris: Sequence[str]) -> list[_Shard]:
    """The committed shards of the folders, checked against their stats and against each other."""
    if not uris:
        raise UsageError("no folder of face shards: give one or more output folders of `face0 augment`")
    files = [named for uri in uris for named in _committed(uri)]
    shards = list(ordered_map(lambda named: _open(*named), files, 16, 64))
    first = shards[0]
    for shard in shards[1:]:
        if differences := _differences(first, shard):
            raise UsageError(
                f"{first.uri} and {shard.uri} are of different embedders ({'; '.join(differences)}): "
                "train on folders of one, or run augment on the others again with it"
            )
    return shards


def _committed(uri: str) -> list[tuple[str, DataFile]]:
    """The shards that a folder's stats name, as (folder, file), in the order of their names."""
    committed = OutputFolder(uri).committed().values()
    files = [file for stats in committed for file in stats.files if file.name.startswith("shards/")]
    if not files:
        raise UsageError(
            f"{uri} holds no committed task of augment: check the path, or run `face0 augment ... --output {uri}`"
        )
    fs, success = storage.filesystem(storage.join(uri, "_SUCCESS"))
    if not fs.exists(success):
        print(
            f"warning: {uri} is not finished (it has no _SUCCESS): what its {len(files)} committed tasks hold is used",
            file=sys.stderr,
        )
    return [(uri, file) for file in sorted(files, key=lambda file: file.name)]


def _open(folder: str, file: DataFile) -> _Shard:
    uri = storage.join(folder, file.name)
    remedy = f"run augment again into a new folder, or remove this task's file from {folder}/stats and run it again"
    try:
        with storage.open_uri(uri) as opened:
            footer = pq.read_metadata(opened)
    except FileNotFoundError as error:
        raise UsageError(f"{uri} is missing, but its stats name it: {remedy}") from error
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{uri} does not open as Parquet ({error}): {remedy}") from error
    if footer.num_rows != file.rows:
        raise UsageError(f"{uri} has {footer.num_rows:,} rows, but its stats say {file.rows:,}: {remedy}")
    metadata = {name.decode(): value.decode() for name, value in footer.metadata.items() if name.startswith(b"face0.")}
    kind = metadata.get("face0.schema"), metadata.get("face0.version")
    if kind != ("face_shard", VERSION):
        raise UsageError(f"{uri} holds rows of {kind}, not of ('face_shard', {VERSION!r}): run augment of this version")
    return _Shard(
        uri=uri,
        file=file,
        group_sizes=[footer.row_group(i).num_rows for i in range(footer.num_row_groups)],
        embedder={k.removeprefix(_EMBEDDER): v for k, v in metadata.items() if k.startswith(_EMBEDDER)},
        dim=int(metadata["face0.embedding_dim"]),
    )


def _differences(one: _Shard, other: _Shard) -> list[str]:
    a, b = ({"dim": str(shard.dim), **shard.embedder} for shard in (one, other))
    return [
        f"{name}: {a.get(name)}, {b.get(name)}" for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)
    ]


def _fingerprint(shards: Sequence[_Shard], rows: RowFilter, holdout: Holdout) -> str:
    record = [[(shard.file.name, shard.file.sha256) for shard in shards], asdict(rows), asdict(holdout)]
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()


# --- Which rows


@dataclass(frozen=True, kw_only=True)
class _Selection:
    bits: list[np.ndarray]  # for each row group, packed: which rows are trained on
    sizes: np.ndarray  # int64 [groups], their number
    held: np.ndarray  # int64 [n, 2]: row group and row of the held-out rows, lowest hash first
    summary: str


@dataclass(frozen=True, kw_only=True)
class _Candidates:
    """Rows with the lowest hashes of their keys, in that order, and what is to be known for the mean of all."""

    hashes: np.ndarray  # uint64 [n]
    rows: np.ndarray  # int64 [n, 2]: row group and row
    vectors: np.ndarray  # float32 [n, dim], see _vectors
    total: np.ndarray  # float64 [dim], sum of the vectors of all rows that have a face
    count: int  # of these

    def lowest(self, count: int) -> "_Candidates":
        """The first ``count``."""
        index = np.argsort(self.hashes, kind="stable")[:count]
        return replace(self, hashes=self.hashes[index], rows=self.rows[index], vectors=self.vectors[index])

    def __add__(self, other: "_Candidates") -> "_Candidates":
        return _Candidates(
            hashes=np.concatenate([self.hashes, other.hashes]),
            rows=np.concatenate([self.rows, other.rows]),
            vectors=np.concatenate([self.vectors, other.vectors]),
            total=self.total + other.total,
            count=self.count + other.count,
        )


def _selection(shards: Sequence[_Shard], rows: RowFilter, holdout: Holdout) -> _Selection:
    sizes = [size for shard in shards for size in shard.group_sizes]
    bits = [np.packbits(np.ones(size, bool)) for size in sizes]
    if rows != RowFilter():
        bits = list(itertools.chain.from_iterable(_scan(lambda at: _passing(at[1], rows), shards)))
    passing = sum(map(_count, bits))
    held = np.empty((0, 2), np.int64)
    if holdout.count and passing:
        found = reduce(
            lambda one, other: (one + other).lowest(holdout.count),
            _scan(lambda at: _candidates(*at, bits).lowest(holdout.count), shards),
        )
        held = found.rows
        bits = list(itertools.chain.from_iterable(_scan(lambda at: _strangers(*at, bits, found, holdout), shards)))
    left = np.array([_count(each) for each in bits], np.int64)
    return _Selection(
        bits=bits,
        sizes=left,
        held=held,
        summary=f"{sum(sizes):,} rows, {passing:,} pass the filter, {len(held):,} of these are held out and "
        f"{passing - len(held) - left.sum():,} show the same people, {left.sum():,} are left",
    )


def _scan(function: Callable[[tuple[int, _Shard]], T], shards: Sequence[_Shard]) -> Iterator[T]:
    """Calls the function with each shard and the number of its first row group."""
    begins = itertools.accumulate((len(shard.group_sizes) for shard in shards), initial=0)
    return ordered_map(function, zip(begins, shards, strict=False), SCANNERS, 2 * SCANNERS)


def _passing(shard: _Shard, rows: RowFilter) -> list[np.ndarray]:
    """The rows of each row group that pass the filter."""
    columns = {
        "caption": rows.min_caption,
        f"{_FACE}box": rows.min_face,
        f"{_FACE}score": rows.min_score,
    }
    bits = []
    for table in _light(shard, [name for name, limit in columns.items() if limit]):
        passing = np.ones(table.num_rows, bool)
        if rows.min_caption:
            passing &= pc.utf8_length(table["caption"]).to_numpy() >= rows.min_caption
        if rows.min_face:
            boxes, present = _faces(table, "box", 1)
            sides = (boxes[:, 0, 2:] - boxes[:, 0, :2]).min(axis=1)
            passing &= present[:, 0] & (sides >= rows.min_face)
        if rows.min_score:
            scores, present = _faces(table, "score", 1)
            passing &= present[:, 0] & (scores[:, 0, 0] >= rows.min_score)
        bits.append(np.packbits(passing))
    return bits


def _candidates(begin: int, shard: _Shard, bits: Sequence[np.ndarray]) -> _Candidates:
    """The rows of a shard that may be held out."""
    found = _Candidates(
        hashes=np.empty(0, np.uint64),
        rows=np.empty((0, 2), np.int64),
        vectors=np.empty((0, shard.dim), np.float32),
        total=np.zeros(shard.dim),
        count=0,
    )
    for group, table in enumerate(_light(shard, ["key", f"{_FACE}embedding"]), begin):
        rows = _rows(bits[group], table.num_rows)
        vectors = _vectors(table)[rows]
        seen = ~np.isnan(vectors[:, 0])
        found += _Candidates(
            hashes=_hashes(table["key"].take(rows).to_pylist()),
            rows=np.stack([np.full(len(rows), group), rows], axis=1),
            vectors=vectors,
            total=vectors[seen].sum(axis=0, dtype=np.float64),
            count=int(seen.sum()),
        )
    return found


def _strangers(
    begin: int, shard: _Shard, bits: Sequence[np.ndarray], found: _Candidates, holdout: Holdout
) -> list[np.ndarray]:
    """The rows of each row group that are not held out and do not look like one that is."""
    mean = (found.total / max(found.count, 1)).astype(np.float32)
    wanted = _directions(found.vectors - mean).T
    strangers = []
    for group, table in enumerate(_light(shard, [f"{_FACE}embedding"]), begin):
        # A row without a face is NaN, which is not over any similarity.
        alike = (_directions(_vectors(table) - mean) @ wanted > holdout.similarity).any(axis=1)
        alike[found.rows[found.rows[:, 0] == group, 1]] = True
        strangers.append(bits[group] & ~np.packbits(alike))
    return strangers


def _hashes(keys: Sequence[str]) -> np.ndarray:
    digests = b"".join(hashlib.blake2b(key.encode(), digest_size=8).digest() for key in keys)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def _vectors(table: pa.Table) -> np.ndarray:
    """The embeddings of the largest faces, float32 [rows, dim]; NaN where there is no face."""
    found, present = _faces(table, "embedding", 1)
    vectors = found[:, 0].astype(np.float32)
    vectors[~present[:, 0]] = np.nan
    return vectors


def _directions(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))


def _rows(bits: np.ndarray, size: int) -> np.ndarray:
    """The rows of a row group of this size whose bit is set."""
    return np.flatnonzero(np.unpackbits(bits, count=size))


def _count(bits: np.ndarray) -> int:
    return int(np.bitwise_count(bits).sum())


# --- Reading and decoding


@dataclass(frozen=True)
class _Needed:
    """A row group that is needed from one position to another (both included)."""

    epoch: int
    group: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """Rows in memory. Lists and arrays of as many rows."""

    numbers: np.ndarray  # int64 [rows], of all rows of the folders
    keys: list[str]
    captions: list[str]
    images: list[bytes]  # encoded; each is taken out as it is used
    sides: list[tuple[int, int]]  # width and height, as the row says
    faces: np.ndarray  # float16 [rows, slots, dim]
    present: np.ndarray  # bool [rows, slots]


class _Samples:
    """The samples of one batch on one rank: put in one by one, decoded in parts and in several threads at once."""

    def __init__(self, positions: np.ndarray, resolution: int, slots: int, dim: int) -> None:
        size = len(positions)
        self._positions, self._rows = positions, np.zeros(size, np.int64)
        self._keys, self._captions = [""] * size, [""] * size
        self._images = [b""] * size
        self._sides = [(0, 0)] * size
        self._pixels = np.empty((size, resolution, resolution, 3), np.uint8)
        self._faces = np.zeros((size, slots, dim), np.float32)
        self._present = np.zeros((size, slots), bool)
        self._errors: dict[int, str] = {}

    def put(self, i: int, rows: _Loaded, row: int) -> None:
        """Takes the sample ``i`` out of a row group; the memory of its image goes with it."""
        self._keys[i], self._captions[i], self._sides[i] = rows.keys[row], rows.captions[row], rows.sides[row]
        self._rows[i] = rows.numbers[row]
        self._faces[i], self._present[i] = rows.faces[row], rows.present[row]
        self._images[i], rows.images[row] = rows.images[row], b""

    def decode(self, begin: int, end: int) -> None:
        """Decodes the images of these samples."""
        for i in range(begin, end):
            try:
                _decode_into(self._pixels[i], self._images[i], self._sides[i])
            except MemoryError:
                raise
            except Exception as error:  # a broken image makes Pillow raise nearly any type
                self._errors[i] = f"the image does not decode: {str(error) or type(error).__name__}"
            self._images[i] = b""

    def batch(self) -> Batch:
        """The batch, once all is decoded."""
        good = [i for i in range(len(self._positions)) if i not in self._errors]
        index = good if self._errors else slice(None)  # a slice copies nothing
        return Batch(
            keys=[self._keys[i] for i in good],
            captions=[self._captions[i] for i in good],
            images=torch.from_numpy(self._pixels[index]).permute(0, 3, 1, 2),
            faces=torch.from_numpy(self._faces[index]),
            present=torch.from_numpy(self._present[index]),
            rows=torch.from_numpy(self._rows[index]),
            positions=torch.from_numpy(self._positions[index]),
            failed=[(self._keys[i], self._errors[i]) for i in sorted(self._errors)],
        )


def _decode_into(pixels: np.ndarray, data: bytes, sides: tuple[int, int]) -> None:
    """Decodes an image and resizes it to the shape of ``pixels``: uint8 [side, side, 3], sRGB."""
    side = len(pixels)
    image: Image.Image = Image.open(io.BytesIO(data))
    if image.size != sides:  # seen before any pixel is: a broken header can ask for gigabytes
        raise ValueError(f"it is {image.size[0]} x {image.size[1]} pixels, not {sides[0]} x {sides[1]} as its row says")
    if isinstance(image, JpegImageFile):
        image.draft(None, (round(DRAFT_MARGIN * side),) * 2)
    if image.mode != "RGB":
        image = image.convert("RGB")
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    pixels[:] = image


def _load(group: _Group, rows: np.ndarray, slots: int) -> _Loaded:
    """Rows of a row group, in the order given."""
    with _readable(group.uri, group.index), storage.open_uri(group.uri) as file:
        columns = ["key", "caption", "image", "width", "height", f"{_FACE}embedding"]
        table = pq.ParquetFile(file).read_row_group(group.index, columns=columns, use_threads=False)
        faces, present = _faces(table, "embedding", slots)
        images = table["image"]
        keys, captions, widths, heights = (
            table[name].take(rows).to_pylist() for name in ("key", "caption", "width", "height")
        )
        return _Loaded(
            numbers=group.begin + rows,
            keys=keys,
            captions=captions,
            images=[images[row].as_py() for row in rows.tolist()],
            sides=list(zip(widths, heights, strict=True)),
            faces=faces[rows],
            present=present[rows],
        )


def _light(shard: _Shard, columns: list[str]) -> Iterator[pa.Table]:
    """Some columns of a shard, row group by row group."""
    with storage.open_uri(shard.uri) as file:
        opened = pq.ParquetFile(file)
        for index in range(len(shard.group_sizes)):
            with _readable(shard.uri, index):
                table = opened.read_row_group(index, columns=columns, use_threads=False)
            yield table


@contextmanager
def _readable(uri: str, index: int) -> Iterator[None]:
    """Names the row group that does not read."""
    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UsageError(
            f"{uri}: row group {index} does not read ({error}): "
            "restore the file, or run augment again into a new folder"
        ) from error


def _faces(table: pa.Table, name: str, slots: int) -> tuple[np.ndarray, np.ndarray]:
    """A field of the first ``slots`` faces of each row, [rows, slots, width], zeros where there is none; and where
    there is one, bool [rows, slots]."""
    faces = table["faces"].combine_chunks()
    offsets = faces.offsets.to_numpy()
    index = offsets[:-1, None] + np.arange(slots)
    present = index < offsets[1:, None]
    field = faces.values.field(name)
    listed = pa.types.is_fixed_size_list(field.type)
    values = (field.flatten() if listed else field).to_numpy()
    values = values.reshape(len(field), field.type.list_size if listed else 1)
    found = np.zeros((*present.shape, values.shape[1]), values.dtype)
    found[present] = values[index[present]]
    return found, present
