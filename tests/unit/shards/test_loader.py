"""Every sample once an epoch, the same batches for any number of ranks, resumed where it stood."""

import io
import itertools
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from face0.errors import UsageError
from face0.shards import loader as loading
from face0.shards.loader import FaceShards
from face0.shards.selection import Holdout, RowFilter
from tests.fixtures.pictures import augment, captioned, people, rows, write_tar
from tests.fixtures.shards import NONE, assert_whole, numbered, samples, take, write

SHAPES = st.lists(st.lists(st.integers(1, 30), max_size=4), min_size=1, max_size=3).filter(lambda s: any(map(sum, s)))


@settings(max_examples=15, deadline=None)
@given(
    SHAPES, st.integers(0, 2**64), st.sampled_from([(1, 1), (4, 2), (6, 3), (8, 8)]), st.sampled_from([1, 4]), st.data()
)
def test_every_sample_comes_once_an_epoch_in_one_order_for_all_ranks_and_resumed(shape, seed, ranks, threads, data):
    batch, world = ranks
    with TemporaryDirectory() as folder:
        loader = FaceShards([write(folder, numbered(shape))], holdout=NONE)
        n = loader.samples
        assert n == sum(map(sum, shape))
        steps = 2 * n // batch + 2
        alone = take(loader, steps, batch=batch, seed=seed, threads=threads)
        for s, each in enumerate(alone):
            assert each.positions.tolist() == list(range(s * batch, (s + 1) * batch))
            assert_whole(each)
        found = samples(alone)
        for epoch in range(2):
            assert sorted(found[epoch * n + i] for i in range(n)) == [f"k{i:05d}" for i in range(n)]
        done = data.draw(st.integers(0, steps)) * batch + data.draw(st.integers(0, batch - 1))
        shares = [
            take(loader, 3, batch=batch, seed=seed, rank=rank, world=world, start=done, threads=threads)
            for rank in range(world)
        ]
        for rank, share in enumerate(shares):
            for s, each in enumerate(share):
                assert len(each.keys) == batch // world
                assert {p % world for p in each.positions.tolist()} == {rank}
                assert all(done + s * batch <= p < done + (s + 1) * batch for p in each.positions.tolist())
                assert_whole(each)
        union = samples([each for share in shares for each in share])
        assert sorted(union) == list(range(done, done + 3 * batch))
        assert all(found[p] == key for p, key in union.items() if p in found)


@pytest.fixture(scope="module")
def hundreds(tmp_path_factory) -> str:
    """960 rows in 48 row groups of 4 files."""
    return write(tmp_path_factory.mktemp("hundreds"), numbered([[20] * 12] * 4))


def test_epochs_and_seeds_have_other_orders(hundreds):
    loader = FaceShards([hundreds], holdout=NONE)
    first, second, other = (
        [key for each in take(loader, 20, batch=48, seed=seed, start=start) for key in each.keys]
        for seed, start in ((0, 0), (0, 960), (1, 0))
    )
    for a, b in itertools.combinations((first, second, other), 2):
        assert sorted(a) == sorted(b)
        assert sum(x == y for x, y in zip(a, b, strict=True)) < 15  # 1 expected


def read_groups(
    loader: FaceShards, monkeypatch: pytest.MonkeyPatch, steps: int, **options: int
) -> set[tuple[str, int]]:
    """Files and row groups that are read for images in some steps, read-ahead aside."""
    read = set()
    load = loading._load

    def recorded(group, rows, slots):
        read.add((group.uri, group.index))
        return load(group, rows, slots)

    with monkeypatch.context() as patch:
        patch.setattr(loading, "_load", recorded)
        patch.setattr(loading, "READ_AHEAD", 1)
        take(loader, steps, batch=32, threads=1, **options)
    return read


def test_a_rank_reads_only_its_lanes(hundreds, monkeypatch):
    """A lane is 30 rows, so that it touches 2 or 3 row groups: a rank of 16, with 2 lanes, 6 at most of the 48."""
    loader = FaceShards([hundreds], holdout=NONE)
    monkeypatch.setattr(loading, "PART", 2)
    read = [read_groups(loader, monkeypatch, 29, world=16, rank=rank) for rank in range(16)]
    assert max(map(len, read)) <= 6
    assert len(set.union(*read)) == 48
    assert len(read_groups(loader, monkeypatch, 29, world=1)) == 48


def test_row_groups_that_are_done_are_not_read_again(hundreds, monkeypatch):
    loader = FaceShards([hundreds], holdout=NONE)
    whole = read_groups(loader, monkeypatch, 1, start=0)
    rest = read_groups(loader, monkeypatch, 1, start=960 - 64)
    assert len(whole) >= 24
    assert len(rest) <= 33  # the last of each of 32 lanes
    assert whole != rest


def test_as_many_row_groups_are_in_memory_as_there_are_lanes_and_read_ahead(hundreds, monkeypatch):
    loader = FaceShards([hundreds], holdout=NONE)
    live, most = set(), 0

    class Counted(loading.LoadedRows):
        def __init__(self, **columns):
            nonlocal most
            super().__init__(**columns)
            live.add(id(self))
            most = max(most, len(live))

        def __del__(self):
            live.discard(id(self))

    monkeypatch.setattr(loading, "LoadedRows", Counted)
    take(loader, 100, batch=32)
    assert 32 <= most <= 32 + 2 + loading.READ_AHEAD + loading.READERS


def test_each_use_frees_its_image(hundreds, monkeypatch):
    loader = FaceShards([hundreds], holdout=NONE)
    loaded = []
    load = loading._load
    monkeypatch.setattr(loading, "_load", lambda *arguments: loaded.append(load(*arguments)) or loaded[-1])
    take(loader, 20, batch=48, world=2, threads=1)
    assert sum(image == b"" for each in loaded for image in each.images) >= 19 * 24


def test_real_shards_on_any_file_system(root, tmp_path):
    write_tar(tmp_path / "a.tar", captioned(people(6)))
    assert augment(tmp_path / "a.tar", root) == 0
    loader = FaceShards([root], holdout=NONE)
    assert loader.embedder["name"] == "random:0"
    assert loader.dim == len(rows(root)[0]["embedding"])
    (each,) = take(loader, 1, batch=6, resolution=64)
    expected = {r["key"]: r for r in rows(root)}
    assert sorted(each.keys) == sorted(expected)
    for key, caption, faces, image in zip(each.keys, each.captions, each.faces, each.images, strict=True):
        assert caption == expected[key]["caption"]
        assert np.array_equal(faces[0].numpy(), np.float32(expected[key]["embedding"]))
        small = np.asarray(Image.open(io.BytesIO(expected[key]["image"])).resize((64, 64), Image.Resampling.LANCZOS))
        assert np.abs(small - image.permute(1, 2, 0).numpy().astype(float)).mean() < 2


def test_the_fingerprint_tells_data_and_choice_of_rows_apart(tmp_path):
    one = write(tmp_path / "one", numbered([[3], [4]]))
    copy = write(tmp_path / "copy", numbered([[3], [4]]))
    other = write(tmp_path / "other", numbered([[3], [5]]))
    base = FaceShards([one], holdout=NONE).fingerprint
    assert base == FaceShards([copy], holdout=NONE).fingerprint
    changed = [
        FaceShards([other], holdout=NONE),
        FaceShards([one, other], holdout=NONE),
        FaceShards([one], rows=RowFilter(min_score=0.1), holdout=NONE),
        FaceShards([one], holdout=Holdout(count=1, similarity=2)),
    ]
    assert len({base, *(loader.fingerprint for loader in changed)}) == 5


@pytest.mark.parametrize(("batch", "world"), [(4, 8), (6, 4), (0, 1)])
def test_a_batch_that_cannot_be_divided_is_refused_at_once(hundreds, batch, world):
    loader = FaceShards([hundreds], holdout=NONE)
    with pytest.raises(UsageError, match=f"batch of {batch} cannot be divided among {world} ranks"):
        loader.batches(batch=batch, resolution=8, slots=1, seed=0, world=world)
