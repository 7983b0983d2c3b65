"""The loader: every sample once an epoch, the same batches for any number of ranks, resumed where it stood."""

import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from face0.detection.detections import Detections
from face0.errors import UsageError
from face0.shards import loader as loading
from face0.shards import selection
from face0.shards.decoding import Batch, decode_into
from face0.shards.loader import FaceShards
from face0.shards.rows import FaceRow, to_batch
from face0.shards.selection import Holdout, RowFilter
from face0.tasks import task_output
from face0.tasks.output_folder import OutputFolder
from schemas.face_shard import face_shard
from tests.fixtures.pictures import augment, captioned, people, rows, write_tar

DIM = 4
NONE = Holdout(count=0)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A task."""

    uri: str = "input"
    number: int

    @property
    def task_id(self) -> str:
        return f"part-{self.number:03d}"


def picture_of(number: int, kind: str = "PNG", side: int = 8) -> bytes:
    """One colour, which tells the number."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), (number // 256, number % 256, 7)).save(file, kind, quality=95)
    return file.getvalue()


def row(number: int, *, faces: int = 1, image: bytes | None = None, vector: Sequence[float] | None = None,
        side: float = 50.0, score: float = 0.99, caption: str | None = None) -> FaceRow:  # fmt: skip
    """A row in which everything tells its number."""
    sides = side / 2.0 ** np.arange(faces)
    embeddings = np.zeros((faces, DIM))
    embeddings[:, 0] = number
    embeddings[:, 1] = np.arange(faces)
    if vector is not None:
        embeddings[:] = vector
    return FaceRow(
        key=f"k{number:05d}",
        caption=f"caption {number}" if caption is None else caption,
        image=picture_of(number) if image is None else image,
        width=8,
        height=8,
        source="here",
        sha256="0" * 64,
        faces=Detections(
            boxes=np.stack([0 * sides, 0 * sides, sides, sides + 9], axis=1).astype(np.float32),
            scores=np.full(faces, score, np.float32),
            landmarks=np.zeros((faces, 5, 2), np.float32),
        ),
        embeddings=embeddings,
    )


def write(root: Path | str, files: Sequence[Sequence[Sequence[FaceRow]]], *, dim: int = DIM, embedder: str = "e",
          finish: bool = True) -> str:  # fmt: skip
    """An output folder of augment: files of row groups of rows."""
    folder = OutputFolder(str(root))
    schema = face_shard(dim, {"name": embedder})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_output, "ROW_GROUP", 1)  # so that each batch is a row group
        for number, groups in enumerate(files):
            with folder.commit(Part(number=number)) as output:
                table = output.table("shards", schema)
                for group in groups:
                    table.write(to_batch(group, schema))
                    output.ledger.read += len(group)
                    output.ledger.written += len(group)
    if finish:
        assert folder.succeed(Part(number=i).task_id for i in range(len(files))) is not None
    return str(root)


def numbered(shape: Sequence[Sequence[int]]) -> list[list[list[FaceRow]]]:
    """Files of row groups of so many rows."""
    count = itertools.count()
    return [[[row(next(count), faces=1 + size % 3) for _ in range(size)] for size in file] for file in shape]


def take(loader: FaceShards, count: int, *, batch: int = 4, seed: int = 0, **options: int) -> list[Batch]:
    usual = {"resolution": 8, "slots": 2, **options}
    return list(itertools.islice(loader.batches(batch=batch, seed=seed, **usual), count))


def samples(batches: Sequence[Batch]) -> dict[int, str]:
    """Keys by position."""
    return {p: key for each in batches for p, key in zip(each.positions.tolist(), each.keys, strict=True)}


def assert_whole(each: Batch) -> None:
    """All that belongs to a sample is its own."""
    numbers = [int(key[1:]) for key in each.keys]
    assert each.captions == [f"caption {number}" for number in numbers]
    assert (each.images[:, 0].long() * 256 + each.images[:, 1]).flatten(1).tolist() == [[n] * 64 for n in numbers]
    assert each.faces[:, 0, 0].tolist() == numbers
    assert each.present[:, 0].all()


# --- The order, through files

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


# --- What a batch holds


def test_faces_come_largest_first_and_empty_slots_are_zeros(tmp_path):
    files = [[[row(1, faces=3), row(2, faces=1)], [row(3, faces=0)]]]
    (each,) = take(FaceShards([write(tmp_path, files)], holdout=NONE), 1, batch=3, slots=2)
    found = {key: (f.tolist(), p.tolist()) for key, f, p in zip(each.keys, each.faces, each.present, strict=True)}
    assert found == {
        "k00001": ([[1, 0, 0, 0], [1, 1, 0, 0]], [True, True]),
        "k00002": ([[2, 0, 0, 0], [0, 0, 0, 0]], [True, False]),
        "k00003": ([[0, 0, 0, 0], [0, 0, 0, 0]], [False, False]),
    }
    assert (each.faces.dtype, each.present.dtype) == (torch.float32, torch.bool)
    assert (each.images.dtype, each.positions.dtype) == (torch.uint8, torch.int64)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("resolution", [32, 100, 400, 500])
def test_images_are_resized_as_without_a_shortcut(kind, mode, resolution):
    ((_, data),) = people(1)
    original = Image.open(io.BytesIO(data)).resize((400, 400)).convert(mode)
    file = io.BytesIO()
    original.save(file, kind, quality=95)
    decoded = Image.open(io.BytesIO(file.getvalue())).convert("RGB")
    expected = np.asarray(decoded.resize((resolution, resolution), Image.Resampling.LANCZOS)).astype(float)
    pixels = np.empty((resolution, resolution, 3), np.uint8)
    decode_into(pixels, file.getvalue(), (400, 400))
    assert np.sqrt(((pixels - expected) ** 2).mean()) < 2  # levels of 255: 42 dB


def test_an_image_that_does_not_decode_is_told_and_left_out(tmp_path):
    broken = [b"", b"no image", picture_of(2)[:45], picture_of(3, side=9), picture_of(4, "JPEG")[:-300]]
    files = [[[row(i, image=data) for i, data in enumerate(broken)] + [row(i) for i in range(5, 8)]]]
    loader = FaceShards([write(tmp_path, files)], holdout=NONE)
    one, two = take(loader, 2, batch=8)
    for each in (one, two):
        assert sorted(each.keys) == ["k00005", "k00006", "k00007"]
        assert_whole(each)
        assert len(each.positions) == len(each.images) == len(each.faces) == len(each.present) == 3
        assert sorted(key for key, _ in each.failed) == [f"k{i:05d}" for i in range(5)]
        assert "9 x 9 pixels, not 8 x 8" in dict(each.failed)["k00003"]
        assert all("does not decode: " in message for _, message in each.failed)
    assert set(two.positions.tolist()) < set(range(8, 16))


def test_a_batch_of_nothing_but_broken_images_is_empty(tmp_path):
    loader = FaceShards([write(tmp_path, [[[row(1, image=b"x")]]])], holdout=NONE)
    (each,) = take(loader, 1, batch=2)
    assert each.images.shape == (0, 3, 8, 8)
    assert [key for key, _ in each.failed] == ["k00001", "k00001"]


def test_real_shards_on_any_file_system(root, tmp_path):
    write_tar(tmp_path / "a.tar", captioned(people(6)))
    assert augment(tmp_path / "a.tar", root) == 0
    loader = FaceShards([root], holdout=NONE)
    assert loader.embedder["name"] == "random:0"
    assert loader.dim == len(rows(root)[0]["faces"][0]["embedding"])
    (each,) = take(loader, 1, batch=6, resolution=64)
    expected = {r["key"]: r for r in rows(root)}
    assert sorted(each.keys) == sorted(expected)
    for key, caption, faces, image in zip(each.keys, each.captions, each.faces, each.images, strict=True):
        assert caption == expected[key]["caption"]
        assert np.array_equal(faces[0].numpy(), np.float32(expected[key]["faces"][0]["embedding"]))
        small = np.asarray(Image.open(io.BytesIO(expected[key]["image"])).resize((64, 64), Image.Resampling.LANCZOS))
        assert np.abs(small - image.permute(1, 2, 0).numpy().astype(float)).mean() < 2


# --- Which rows


def keys(loader: FaceShards) -> list[str]:
    return sorted(samples(take(loader, loader.samples, batch=1)).values())


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


# --- Several folders, unfinished ones, errors


def test_folders_are_joined(tmp_path):
    one = write(tmp_path / "one", numbered([[3], [4]]))
    two = write(tmp_path / "two", [[[row(i) for i in range(100, 105)]]])
    loader = FaceShards([one, two], holdout=NONE)
    assert keys(loader) == [f"k{i:05d}" for i in [*range(7), *range(100, 105)]]


def test_an_unfinished_folder_is_used_with_a_warning(tmp_path, caplog):
    folder = write(tmp_path, numbered([[3], [4]]), finish=False)
    (tmp_path / "shards" / "part-009.parquet").write_bytes(b"not committed")
    assert FaceShards([folder], holdout=NONE).samples == 7
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{folder} is not finished" in caplog.text
    OutputFolder(folder).succeed(["part-000", "part-001"])
    FaceShards([folder], holdout=NONE)
    assert len(caplog.records) == 1


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


def refused(*uris: str, **choice: RowFilter | Holdout) -> str:
    with pytest.raises(UsageError) as error:
        FaceShards(uris, **{"holdout": NONE, **choice})
    message = str(error.value)
    assert "\n" not in message
    return message


def test_a_folder_without_a_committed_task_is_refused(root):
    message = refused(root)
    assert root in message
    assert "no committed task" in message
    assert "give one or more" in refused()


def test_a_file_that_is_not_as_its_stats_say_is_refused(tmp_path):
    folder = write(tmp_path / "a", numbered([[3], [4]]))
    path = tmp_path / "a" / "shards" / "part-001.parquet"
    data = path.read_bytes()
    path.unlink()
    assert f"{path} is missing" in refused(folder)
    path.write_bytes(data[: len(data) // 2])
    assert f"{path} does not open as Parquet" in refused(folder)
    path.write_bytes((tmp_path / "a" / "shards" / "part-000.parquet").read_bytes())
    message = refused(folder)
    assert f"{path} has 3 rows, but its stats say 4" in message
    assert "run augment again" in message


def test_rows_of_another_schema_are_refused(tmp_path):
    folder = write(tmp_path / "a", numbered([[3]]))
    path = tmp_path / "a" / "shards" / "part-000.parquet"
    pq.write_table(
        pq.read_table(path).replace_schema_metadata({"face0.schema": "face_shard", "face0.version": "9"}), path
    )
    assert "('face_shard', '9')" in refused(folder)


def test_folders_of_several_embedders_are_refused(tmp_path):
    one = write(tmp_path / "one", numbered([[3]]))
    two = write(tmp_path / "two", numbered([[3]]), embedder="f")
    message = refused(one, two)
    assert one in message
    assert two in message
    assert "name: e, f" in message
    three = write(tmp_path / "three", [[[row(1, faces=0)]]], dim=8)
    assert "dim: 4, 8" in refused(one, three)


def test_no_rows_left_is_refused_with_counts(tmp_path):
    folder = write(tmp_path, numbered([[3], [4]]))
    assert "7 rows, 0 pass the filter" in refused(folder, rows=RowFilter(min_face=1000))
    message = refused(folder, holdout=Holdout(count=2, similarity=-1.1))
    assert "7 pass the filter, 2 of these are held out and 5 show the same people, 0 are left" in message
    assert "0 rows" in refused(write(tmp_path / "empty", [[]]))


@pytest.mark.parametrize(("batch", "world"), [(4, 8), (6, 4), (0, 1)])
def test_a_batch_that_cannot_be_divided_is_refused_at_once(hundreds, batch, world):
    loader = FaceShards([hundreds], holdout=NONE)
    with pytest.raises(UsageError, match=f"batch of {batch} cannot be divided among {world} ranks"):
        loader.batches(batch=batch, resolution=8, slots=1, seed=0, world=world)


def test_a_row_group_that_turns_corrupt_is_named(tmp_path):
    folder = write(tmp_path, numbered([[30, 30, 30]]))
    loader = FaceShards([folder], holdout=NONE)
    path = tmp_path / "shards" / "part-000.parquet"
    column = pq.read_metadata(path).row_group(1).column(2)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset : column.data_page_offset + column.total_compressed_size] = bytes(
        column.total_compressed_size
    )
    path.write_bytes(data)
    with pytest.raises(UsageError, match="row group 1 does not read") as error:
        take(loader, 30)
    assert str(path) in str(error.value)


def test_a_file_that_goes_while_training_is_named(tmp_path):
    folder = write(tmp_path, numbered([[30]]))
    loader = FaceShards([folder], holdout=NONE)
    (path,) = (tmp_path / "shards").iterdir()
    path.unlink()
    with pytest.raises(UsageError, match=r"part-000\.parquet: row group 0 does not read"):
        take(loader, 1)
