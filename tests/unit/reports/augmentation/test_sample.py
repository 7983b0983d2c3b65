"""What the page sees of the rows: all of a few, a bounded sample of many, the same each time."""

from pathlib import Path

import numpy as np
import pytest

from face0.reports.augmentation import sample as sampling
from face0.reports.augmentation.sample import Sample, read_sample
from face0.tasks.output_folder import OutputFolder
from tests.fixtures.shards import numbered, row, write


def read(uri: str) -> Sample:
    folder = OutputFolder(uri)
    return read_sample(folder, folder.committed())


def test_of_few_rows_all_are_seen(tmp_path: Path):
    rows = [
        row(0, faces=2, side=6, score=0.5, caption="a cook, smiling"),
        row(1, faces=0, caption="été"),
        row(2, side=4),
    ]
    found = read(write(tmp_path, [[rows[:2]], [rows[2:]]]))
    assert (found.rows, found.total) == (3, 3)
    assert found.faces.tolist() == [2, 0, 1]
    assert found.sides.tolist() == [6, 3, 4]
    assert found.shares.tolist() == [6 * 8 / 64, 3 * 8 / 64, 4 * 8 / 64]  # what reaches beyond the image is no share
    assert found.scores.tolist() == pytest.approx([0.5, 0.5, 0.99])
    assert found.characters.tolist() == [15, 3, 9]
    assert found.words.tolist() == [4, 1, 2]
    assert sorted(picture["key"] for picture in found.pictures) == ["k00000", "k00001", "k00002"]


def test_an_output_without_rows_has_an_empty_sample(tmp_path: Path):
    found = read(write(tmp_path, [[]]))
    assert (found.rows, found.total, len(found.sides), list(found.pictures)) == (0, 0, 0, [])


def test_of_many_rows_a_bounded_sample_is_seen_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    uri = write(tmp_path, numbered([[3] * 20] * 10))
    for name, value in (("GROUPS", 8), ("ALL_ROWS", 50), ("PICTURES", 6), ("PICTURE_GROUPS", 3)):
        monkeypatch.setattr(sampling, name, value)
    found = read(uri)
    assert (found.rows, found.total) == (24, 600)
    assert len(found.pictures) == 6
    assert [picture["key"] for picture in read(uri).pictures] == [picture["key"] for picture in found.pictures]


def test_each_row_is_as_likely_in_a_sample_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also those of small files: of 3 rows in one and 297 in another, about one in a hundred is of the first."""
    uri = write(tmp_path, numbered([[3], [3] * 99]))
    monkeypatch.setattr(sampling, "GROUPS", 10)
    monkeypatch.setattr(sampling, "ALL_ROWS", 0)
    monkeypatch.setattr(sampling, "PICTURES", 30)
    hits = 0
    for seed in range(100):
        monkeypatch.setattr(sampling, "SEED", seed)
        hits += any(picture["key"] < "k00003" for picture in read(uri).pictures)
    assert 2 <= hits <= 25


def test_vectors_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    columns: list[str] = []
    scan = sampling.scan_shard
    monkeypatch.setattr(
        sampling,
        "scan_shard",
        lambda folder, file, names, groups: columns.extend(names) or scan(folder, file, names, groups),
    )
    read(write(tmp_path, [[[row(0)]]]))
    assert not [name for name in columns if "embedding" in name]
    assert np.sum([name == "image" for name in columns]) == 1
