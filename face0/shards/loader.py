"""Face shards as batches to train on: every sample once an epoch, in an order that any number of ranks agrees on.

Row groups are read ahead in threads, and images are decoded in threads rather than in worker processes: Pillow lets
other threads run while it decodes and resizes, and a thread hands over its pixels without a copy.

Images are not mirrored: the embedding of a mirrored face is another one, and the shards do not hold it.
"""

import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from face0.errors import UsageError
from face0.images.decoding import REDUCING_GAP
from face0.io import storage
from face0.runtime.concurrency import ordered_map
from face0.shards.files import FACE, Shard, face_field, opened, readable
from face0.shards.order import EpochOrder
from face0.shards.selection import Holdout, RowFilter, kept_rows, select_rows

READERS = 4  # threads that read row groups to train on
READ_AHEAD = 8  # row groups, beyond those that are open
PART = 16  # images that a thread decodes in one go
# A JPEG is decoded at 1/2, 1/4 or 1/8 as long as this many times the resolution remains, and resized from there: on
# photographs within about 45 dB of a resize from all pixels, in half the time. Straight to the resolution it is 35 dB.
DRAFT_MARGIN = 1.9


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

    def take(self, index: Sequence[int]) -> "Batch":
        """The samples at these places."""
        places = torch.tensor(index, dtype=torch.long)
        return Batch(
            keys=[self.keys[i] for i in index],
            captions=[self.captions[i] for i in index],
            images=self.images[places],
            faces=self.faces[places],
            present=self.present[places],
            rows=self.rows[places],
            positions=self.positions[places],
            failed=self.failed,
        )


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
        total: rows that the folders hold, whether they are trained on or not.
        samples: rows to train on, 1 or more.
        summary: in words, how many rows there are and what became of them.
        contents: digest of the files.
        fingerprint: changes with anything that positions depend on, but for the seed: files, filter and holdout.

    Raises:
        UsageError: no committed task; a file that is missing, or not what its stats say; several embedders; no rows.
    """

    def __init__(
        self,
        uris: Sequence[str],
        *,
        rows: RowFilter = RowFilter(),  # noqa: B008 - frozen
        holdout: Holdout = Holdout(),  # noqa: B008
    ) -> None:
        shards = opened(uris)
        self.embedder, self.dim = shards[0].embedder, shards[0].dim
        self.contents = _digest([[shard.file.name, shard.file.sha256] for shard in shards])
        self.fingerprint = _fingerprint(shards, rows, holdout)
        sizes = [(shard.uri, index, size) for shard in shards for index, size in enumerate(shard.group_sizes)]
        begins = itertools.accumulate((size for _, _, size in sizes), initial=0)
        self._groups = [_Group(*named, begin) for named, begin in zip(sizes, begins, strict=False)]
        selection = select_rows(shards, rows, holdout)
        self.total = sum(shard.file.rows for shard in shards)
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
            rows = kept_rows(self._selected[use.group], group.size)
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


@dataclass(frozen=True, slots=True)
class _Group:
    """A row group."""

    uri: str
    index: int  # in its file
    size: int  # rows
    begin: int  # number of its first row, of all rows of the folders


def _fingerprint(shards: Sequence[Shard], rows: RowFilter, holdout: Holdout) -> str:
    return _digest([[(shard.file.name, shard.file.sha256) for shard in shards], asdict(rows), asdict(holdout)])


def _digest(record: object) -> str:
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()


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
    with readable(group.uri, group.index), storage.open_uri(group.uri) as file:
        columns = ["key", "caption", "image", "width", "height", f"{FACE}embedding"]
        table = pq.ParquetFile(file).read_row_group(group.index, columns=columns, use_threads=False)
        faces, present = face_field(table, "embedding", slots)
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
