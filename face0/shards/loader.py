"""Face shards as batches to train on: every sample once an epoch, in an order that any number of ranks agrees on.

Row groups are read ahead in threads, and images are decoded in threads rather than in worker processes: Pillow lets
other threads run while it decodes and resizes, and a thread hands over its pixels without a copy.

Images are not mirrored: the embedding of a mirrored face is another one, and the shards do not hold it.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np

from face0.errors import UsageError
from face0.io import storage
from face0.io.secrets import public
from face0.runtime.concurrency import ordered_map
from face0.shards.columns import EMBEDDINGS, face_embeddings
from face0.shards.decoding import Batch, LoadedRows, SampleBuffer
from face0.shards.files import open_shards, read_row_group, refuse_changed, require_columns
from face0.shards.order import LANES, EpochOrder
from face0.shards.selection import Holdout, RowFilter, kept_rows, select_rows
from face0.shards.shard import Shard

READERS = 4  # threads that read row groups to train on
READ_AHEAD = 8  # row groups, beyond those that are open
PART = 16  # images that a thread decodes in one go
_COLUMNS = ["key", "caption", "image", "width", "height", EMBEDDINGS]
_LARGEST_GROUP = 2**29  # bytes of a row group: some 40 are in memory at a time, and augment's have about 20 MB


class FaceShards:
    """The rows of one or several output folders of augment, or of Parquet that another tool has made of these.

    At first the files' footers are read; for a filter also the columns that it looks at, and for a holdout the keys
    once and the embeddings twice. What stays in memory is a bit for each row.

    Args:
        uris: the folders, files or patterns. Their order, and the names of the files, have a part in the order of
            training.
        rows: which rows to train on.
        holdout: which of these to evaluate on.
        embedder_from: see ``face0.shards.files.open_shards``.

    Attributes:
        uris: of the folders, absolute, in their public form.
        embedder: how the embeddings were made: the shards' ``face0.embedder.*`` metadata, by the names after the dot.
        dim: length of an embedding.
        total: rows that the folders hold, whether they are trained on or not.
        samples: rows to train on, 1 or more.
        summary: in words, how many rows there are and what became of them.
        contents: digest of the files.
        fingerprint: changes with anything that positions depend on, but for the seed: files, filter and holdout.

    Raises:
        UsageError: see ``open_shards``; a column is missing; a row group is too large to be held; no rows.
    """

    def __init__(
        self,
        uris: Sequence[str],
        *,
        rows: RowFilter = RowFilter(),  # noqa: B008 - frozen
        holdout: Holdout = Holdout(),  # noqa: B008
        embedder_from: str | None = None,
    ) -> None:
        shards = open_shards(uris, embedder_from)
        require_columns(shards, [*_COLUMNS, *rows.columns])
        _refuse_large_groups(shards)
        self.uris = [public(storage.absolute(uri)) for uri in uris]
        self.embedder, self.dim = shards[0].embedder, shards[0].dim
        self.contents = _digest([[shard.file.name, shard.file.sha256] for shard in shards])
        self.fingerprint = _fingerprint(shards, rows, holdout)
        sizes = [(shard, index, size) for shard in shards for index, size in enumerate(shard.group_sizes)]
        begins = itertools.accumulate((size for _, _, size in sizes), initial=0)
        self._groups = [_Group(*group, begin) for group, begin in zip(sizes, begins, strict=False)]
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
        samples = SampleBuffer(np.arange(len(held)), resolution, slots, self.dim)

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
    ) -> Iterator["SampleBuffer"]:
        """The samples of each batch, their images still encoded. Reads ahead."""

        def read(use: _Needed) -> LoadedRows:
            group = self._groups[use.group]
            rows = kept_rows(self._selected[use.group], group.size)
            return _load(group, rows[orders(use.epoch).rows(use.group)], slots)

        due, wanted = itertools.tee(uses)
        following = next(due)
        live: dict[tuple[int, int], tuple[LoadedRows, int]] = {}
        loaded = ordered_map(read, wanted, READERS, READ_AHEAD)
        for batch_positions in positions:
            while following.first <= batch_positions[-1]:
                live[following.epoch, following.group] = next(loaded), following.last
                following = next(due)
            samples = SampleBuffer(batch_positions, resolution, slots, self.dim)
            epochs, places = np.divmod(batch_positions, self.samples)
            for epoch in np.unique(epochs).tolist():
                index = np.flatnonzero(epochs == epoch)
                located = orders(epoch).locate(places[index])
                for place, group, offset in zip(index.tolist(), *(part.tolist() for part in located), strict=True):
                    samples.put(place, live[epoch, group][0], offset)
            live = {name: (rows, last) for name, (rows, last) in live.items() if last > batch_positions[-1]}
            yield samples

    def _decoded(self, encoded: Iterator["SampleBuffer"], size: int, threads: int) -> Iterator[Batch]:
        """The batches, decoded ahead by as much as one."""

        def decode(part: tuple[SampleBuffer, int]) -> SampleBuffer:
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

    shard: Shard
    index: int  # in its file
    size: int  # rows
    begin: int  # number of its first row, of all rows of the folders

    @property
    def uri(self) -> str:
        """Of its file."""
        return self.shard.uri


def _refuse_large_groups(shards: Sequence[Shard]) -> None:
    for shard in shards:
        if (largest := max(shard.group_bytes, default=0)) > _LARGEST_GROUP:
            raise UsageError(
                f"{shard.uri} has a row group of {largest / 2**20:,.0f} MiB, and {LANES + READ_AHEAD} are held: "
                f"write it with smaller ones, of at most {_LARGEST_GROUP / 2**20:.0f} MiB, best of some hundred rows "
                "(ROW_GROUP_SIZE in DuckDB, row_group_size in polars and pandas, parquet.block.size in Spark)"
            )


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


def _load(group: _Group, rows: np.ndarray, slots: int) -> LoadedRows:
    """Rows of a row group, in the order given."""
    table = read_row_group(group.shard, group.index, _COLUMNS)
    refuse_changed(group.shard)
    faces, present = face_embeddings(table, slots)
    images = table["image"]
    keys, captions, widths, heights = (
        table[name].take(rows).to_pylist() for name in ("key", "caption", "width", "height")
    )
    return LoadedRows(
        numbers=group.begin + rows,
        keys=keys,
        captions=captions,
        images=[images[row].as_py() for row in rows.tolist()],
        sides=list(zip(widths, heights, strict=True)),
        faces=faces[rows],
        present=present[rows],
    )
