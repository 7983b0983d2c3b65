"""Which rows are trained on, and which are held out."""

import numpy as np
import pytest

from face0.shards import selection
from face0.shards.loader import FaceShards
from face0.shards.selection import Holdout, RowFilter
from tests.fixtures.shards import DIM, NONE, keys, numbered, refused, row, write


@pytest.fixture(scope="module")
def hundreds(tmp_path_factory) -> str:
    """960 rows in 48 row groups of 4 files."""
    return write(tmp_path_factory.mktemp("hundreds"), numbered([[20] * 12] * 4))


@pytest.mark.parametrize(
    ("filter_", "left"),
    [
        (RowFilter(), [1, 2, 3, 4, 5]),
        (RowFilter(min_face=50), [1, 3, 4]),
        (RowFilter(min_score=0.9), [1, 2, 4]),
        (RowFilter(min_caption=4), [1, 2, 3, 4, 5]),
        (RowFilter(min_caption=5), [1, 2, 3, 5]),
        (RowFilter(min_face=50, min_score=0.9, min_caption=5), [1]),
    ],
)
def test_the_filter_keeps_rows_that_reach_every_limit(tmp_path, filter_, left):
    files = [[[row(1), row(2, side=49.9)], [row(3, score=0.89)]], [[row(4, caption="äöü?"), row(5, faces=0)]]]
    loader = FaceShards([write(tmp_path, files)], rows=filter_, holdout=NONE)
    assert keys(loader) == [f"k{i:05d}" for i in left]


def test_footers_are_all_that_is_read_without_filter_and_holdout(hundreds, monkeypatch):
    def refuse(*arguments):
        raise AssertionError

    monkeypatch.setattr(selection, "iter_columns", refuse)
    assert FaceShards([hundreds], holdout=NONE).samples == 960
    with pytest.raises(AssertionError):
        FaceShards([hundreds])


def unit(degrees: float) -> list[float]:
    return [np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0, 0]


def test_held_out_rows_and_those_that_look_like_them_are_not_trained_on(tmp_path):
    """24 directions all around the mean, 15 degrees apart."""
    offset = np.array([3.0, -2.0, 1.0, 0.0])
    circle = [row(i, vector=offset + unit(15 * i)) for i in range(24)]
    files = [[circle[:7], circle[7:9]], [circle[9:24]], [[row(24, faces=0)]]]
    folder = write(tmp_path, files)
    loader = FaceShards([folder], holdout=Holdout(count=2, similarity=np.cos(np.radians(40))))
    held = loader.held_out(resolution=8, slots=2)
    assert len(held.keys) == 2
    centres = [int(key[1:]) for key in held.keys if key != "k00024"]
    alike = {(centre + step) % 24 for centre in centres for step in (-2, -1, 0, 1, 2)}
    assert keys(loader) == [f"k{i:05d}" for i in range(25) if i not in alike and f"k{i:05d}" not in held.keys]
    assert "2 of these are held out" in loader.summary


def test_the_holdout_goes_by_the_key_alone(tmp_path):
    everyone = [row(i, vector=np.eye(DIM)[i % DIM] * (1 if i % 8 < 4 else -1)) for i in range(40)]
    one = write(tmp_path / "one", [[everyone]])
    other = write(tmp_path / "other", [[everyone[20:]], [everyone[3:20], everyone[:3]]])
    holdout = Holdout(count=5, similarity=2.0)
    first, second = (FaceShards([folder], holdout=holdout) for folder in (one, other))
    held = first.held_out(resolution=8, slots=1)
    assert held.keys == second.held_out(resolution=8, slots=1).keys
    shown = held.images[:, 0, 0, 0].long() * 256 + held.images[:, 1, 0, 0]
    assert shown.tolist() == [int(key[1:]) for key in held.keys]
    assert held.keys[:2] == first.held_out(resolution=8, slots=1, limit=2).keys
    assert keys(first) == keys(second) == sorted({f"k{i:05d}" for i in range(40)} - set(held.keys))
    smaller = FaceShards([one], holdout=Holdout(count=3, similarity=2.0)).held_out(resolution=8, slots=1)
    assert smaller.keys == held.keys[:3]


def test_rows_are_held_out_of_those_that_pass_the_filter(tmp_path):
    files = [[[row(i, score=0.5 + 0.4 * (i % 2)) for i in range(20)]]]
    loader = FaceShards([write(tmp_path, files)], rows=RowFilter(min_score=0.8), holdout=Holdout(count=4, similarity=2))
    held = loader.held_out(resolution=8, slots=1).keys
    assert len(held) == 4
    assert sorted([*held, *keys(loader)]) == [f"k{i:05d}" for i in range(1, 20, 2)]


def test_nothing_held_out_is_an_empty_batch(hundreds):
    held = FaceShards([hundreds], holdout=NONE).held_out(resolution=8, slots=2)
    assert (held.keys, held.images.shape, held.faces.shape) == ([], (0, 3, 8, 8), (0, 2, DIM))


def test_no_rows_left_is_refused_with_counts(tmp_path):
    folder = write(tmp_path, numbered([[3], [4]]))
    assert "7 rows, 0 pass the filter" in refused(folder, rows=RowFilter(min_face=1000))
    message = refused(folder, holdout=Holdout(count=2, similarity=-1.1))
    assert "7 pass the filter, 2 of these are held out and 5 show the same people, 0 are left" in message
    assert "0 rows" in refused(write(tmp_path / "empty", [[]]))
