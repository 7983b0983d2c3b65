"""The rows that the page looks at: all, or a sample of bounded size, the same each time.

A sample is of whole row groups. These are taken at even steps through all rows, from a place that SEED decides, so that
each row is as likely in it as any other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from face0.runtime.random import permutation, uniforms
from face0.shards.columns import FACE
from face0.shards.files import scan_shard
from face0.shards.shard import Shard
from face0.tasks.output_folder import OutputFolder
from schemas.job import DataFile, TaskStats

SEED = 0
GROUPS = 80  # row groups of a sample
ALL_ROWS = 20_000  # of an output that is looked at whole, if it has no more files than GROUPS
PICTURES = 48
PICTURE_GROUPS = 8  # row groups whose images are read for them
# RE2, so that the time is bounded: words and runs of other signs, about as CLIP's tokeniser parts a text.
WORDS = r"[\pL\pN_]+|[^\pL\pN_\s]+"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What is seen of some rows.

    Attributes:
        rows: their number.
        total: of all rows that were written.
        sides: shorter side of each face in pixels of its image, float [faces].
        shares: of the image that each face takes, 0..1, float [faces].
        scores: the detector's, 0..1, float [faces].
        faces: on each image, int [rows].
        characters: of each caption, int [rows].
        words: of each caption, with other signs, int [rows].
        pictures: some of the rows, with ``image``, ``width``, ``height``, ``caption``, ``key`` and ``faces``.
    """

    rows: int
    total: int
    sides: np.ndarray
    shares: np.ndarray
    scores: np.ndarray
    faces: np.ndarray
    characters: np.ndarray
    words: np.ndarray
    pictures: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class _Group:
    """A row group: its file, its first row there, the number of its rows."""

    file: DataFile
    first: int
    rows: int


def read_sample(folder: OutputFolder, tasks: Mapping[str, TaskStats]) -> Sample:
    """Reads some rows of an output of augment.

    Raises:
        UsageError: a shard is not what its stats say, or does not read.
    """
    files = [file for _, stats in sorted(tasks.items()) for file in stats.files if _is_shard(file) and file.rows]
    total = sum(file.rows for file in files)
    parts, groups = [], []
    for file, chosen in _chosen(files, total).items():
        for group, table in _scan(folder, file, ["caption", "width", "height", f"{FACE}box", f"{FACE}score"], chosen):
            groups.append(group)
            parts.append(_seen(table))
    columns = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)] if parts else [np.zeros(0)] * 6
    sides, shares, scores, faces, characters, words = columns
    return Sample(
        rows=sum(group.rows for group in groups),
        total=total,
        sides=sides,
        shares=shares,
        scores=scores,
        faces=faces,
        characters=characters,
        words=words,
        pictures=list(_pictures(folder, groups)),
    )


def _is_shard(file: DataFile) -> bool:
    return file.name.startswith("shards/")


def _chosen(files: Sequence[DataFile], total: int) -> dict[DataFile, list[int] | None]:
    """The files to open, each with the rows whose groups are to be read; None: all."""
    if total <= ALL_ROWS and len(files) <= GROUPS:
        return dict.fromkeys(files)
    wanted = np.floor((np.arange(GROUPS) + uniforms(1, SEED)) * (total / GROUPS)).astype(int)
    ends = np.cumsum([file.rows for file in files])
    chosen: dict[DataFile, list[int] | None] = {}
    for row, place in zip(wanted.tolist(), np.searchsorted(ends, wanted, side="right").tolist(), strict=True):
        rows = chosen.setdefault(files[place], [])
        assert rows is not None
        rows.append(row - int(ends[place]) + files[place].rows)
    return chosen


def _scan(
    folder: OutputFolder, file: DataFile, columns: list[str], rows: Sequence[int] | None
) -> Iterator[tuple[_Group, pa.Table]]:
    """Some columns of the row groups that hold these rows, in their order."""
    firsts: list[int] = []

    def groups(shard: Shard) -> list[int]:
        starts = np.cumsum([0, *shard.group_sizes])
        places = np.arange(len(starts) - 1) if rows is None else np.searchsorted(starts[1:], rows, side="right")
        places = np.unique(places)
        firsts.extend(starts[places].tolist())
        return places.tolist()

    for place, (_, table) in enumerate(scan_shard(folder, file, columns, groups)):
        yield _Group(file, firsts[place], table.num_rows), table


def _seen(table: pa.Table) -> tuple[np.ndarray, ...]:
    """Of a row group, for each face its shorter side, share of the image and score; for each row its counts."""
    lists = table["faces"].combine_chunks()
    faces, rows = pc.list_flatten(lists), pc.list_parent_indices(lists).to_numpy()
    boxes = faces.field("box").flatten().to_numpy().reshape(-1, 4).astype(float)
    width, height = (table[name].to_numpy().astype(float) for name in ("width", "height"))
    sizes = boxes[:, 2:] - boxes[:, :2]
    within = np.clip(boxes, 0, np.stack([width, height] * 2, axis=1)[rows])
    areas = np.prod(np.maximum(within[:, 2:] - within[:, :2], 0), axis=1)
    captions = table["caption"]
    return (
        sizes.min(axis=1),
        areas / (width * height)[rows],
        faces.field("score").to_numpy().astype(float),
        np.bincount(rows, minlength=table.num_rows),
        pc.utf8_length(captions).to_numpy(),
        pc.count_substring_regex(captions, WORDS).to_numpy(),
    )


def _pictures(folder: OutputFolder, groups: Sequence[_Group]) -> Iterator[Mapping[str, Any]]:
    """Rows with their images, at random, of a few row groups."""
    order = sorted(permutation(len(groups), SEED)[:PICTURE_GROUPS].tolist())
    columns = ["key", "caption", "image", "width", "height", f"{FACE}box", f"{FACE}score", f"{FACE}landmarks"]
    left = PICTURES
    for place, number in enumerate(order):
        group = groups[number]
        count = min(group.rows, -(-left // (len(order) - place)))
        left -= count
        rows = sorted(permutation(group.rows, SEED, number)[:count].tolist())
        for _, table in _scan(folder, group.file, columns, [group.first]):
            yield from table.take(rows).to_pylist()
