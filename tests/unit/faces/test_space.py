"""The face space: what a corpus comes to in any order, the mixture of it, and draws that are nobody's."""

from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.testing.util import assert_that
from hypothesis import given, settings
from hypothesis import strategies as st

from face0.detection.detections import Detections
from face0.errors import UsageError
from face0.faces.corpus import Corpus, read_corpus
from face0.faces.space import FaceSpace
from face0.faces.space_fit import BY_CHANCE, fit
from face0.shards.files import open_shards
from face0.shards.rows import FaceRow, to_batch
from face0.statistics.sampling import name_hashes
from face0.tasks.output_folder import OutputFolder
from pipelines.face_space import ReadCorpus
from pipelines.options import pipeline_options
from schemas.face_bank import Kind
from schemas.face_shard import face_shard
from schemas.face_space import SpaceRecord

EMBEDDER = {"name": "made up"}
SE = 5  # standard errors: of thousands of comparisons, none is further off by chance


def row(name: str, *vectors: np.ndarray, dim: int) -> FaceRow:
    """A row with these faces, the first the largest."""
    n = len(vectors)
    faces = Detections(boxes=np.zeros((n, 4), np.float32), scores=np.ones(n, np.float32), landmarks=np.zeros((n, 5, 2)))
    embeddings = np.array(vectors).reshape(n, dim)
    return FaceRow(
        key=name, caption="", image=b"", width=1, height=1, source="", sha256=f"of {name}", faces=faces,
        embeddings=embeddings,
    )  # fmt: skip


def table(rows: list[FaceRow], dim: int) -> pa.Table:
    return pa.Table.from_batches([to_batch(rows, face_shard(dim))])


def corpus(vectors: np.ndarray, sample: int = 100_000) -> Corpus:
    dim = vectors.shape[1]
    return Corpus.of(table([row(f"r{i}", vector, dim=dim) for i, vector in enumerate(vectors)], dim), sample)


def fitted(vectors: np.ndarray, **options: int) -> FaceSpace:
    return fit(corpus(vectors), ["shards"], EMBEDDER, **{"dims": 64, "most_gaussians": 32, "seed": 0, **options})


def raw(space: FaceSpace, count: int) -> np.ndarray:
    """Draws before any is drawn again."""
    return np.stack([space.draw(1, i) for i in range(count)])


@dataclass(frozen=True)
class Task:
    task_id: str
    uri: str = "made up"


def commit(folder: str, rows: list[FaceRow], dim: int, task: str) -> None:
    with OutputFolder(folder).commit(Task(task)) as output:
        shard = output.table("shards", face_shard(dim, EMBEDDER))
        output.ledger.read = output.ledger.written = len(rows)
        if rows:
            shard.write(to_batch(rows, face_shard(dim, EMBEDDER)))


# --- What a corpus comes to


@st.composite
def splits(draw: st.DrawFn) -> tuple[list[FaceRow], int, list[list[int]]]:
    """Rows with no, one or two faces, some of them no numbers; and parts of their indices, in any order."""
    dim = draw(st.integers(1, 5))
    count = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    offset = draw(st.sampled_from([0.0, 100.0]))  # large beside the spread: where sums of squares would fail
    rows = []
    for i in range(count):
        vectors = (offset + rng.normal(size=(draw(st.sampled_from([0, 1, 1, 2])), dim))).astype(np.float16)
        if len(vectors) and draw(st.integers(0, 9)) == 0:
            vectors[0, 0] = np.inf
        rows.append(row(f"r{i}", *vectors, dim=dim))
    order = draw(st.permutations(range(count)))
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=5)))
    parts = [list(order[a:b]) for a, b in zip([0, *cuts], [*cuts, count], strict=True)]
    return rows, dim, parts


@settings(deadline=None, max_examples=150)
@given(splits(), st.integers(1, 70))
def test_a_corpus_is_what_numpy_says_of_all_its_largest_faces_however_it_is_split(split, size):
    rows, dim, parts = split
    found = [Corpus.of(table([rows[i] for i in part], dim), size) for part in parts if part]
    half = len(found) // 2  # merged as a tree, not only one by one
    merged = sum(found[half:], Corpus.empty(dim, size)) + sum(found[:half], Corpus.empty(dim, size))
    largest = {each.key: each.embeddings[0] for each in rows if len(each.embeddings)}
    used = {key: vector for key, vector in largest.items() if np.isfinite(vector).all()}
    values = np.array(list(used.values()), np.float64).reshape(-1, dim)
    assert (merged.faces, merged.not_finite) == (len(used), len(largest) - len(used))
    assert merged.rows == len(rows)
    names = [f"{key} of {key}" for key in used]
    lowest = np.argsort(name_hashes(names))[:size]
    assert np.array_equal(merged.sample.rows, values[lowest].astype(np.float16))
    if len(used):
        assert np.allclose(merged.moments.mean, values.mean(axis=0), rtol=1e-12, atol=1e-12)
        assert np.array_equal(merged.low, values.min(axis=0))
        assert np.array_equal(merged.high, values.max(axis=0))
    if len(used) > 1:
        expected = np.cov(values.T).reshape(dim, dim)
        assert np.allclose(merged.moments.covariance(), expected, rtol=1e-9, atol=1e-9)


def test_shards_are_merged_by_a_pipeline(tmp_path):
    rng = np.random.default_rng(0)
    rows = [row(f"r{i}", rng.normal(size=3), dim=3) for i in range(900)]
    for task, part in {"a": rows[:300], "b": rows[300:310], "c": [], "d": rows[310:]}.items():
        commit(str(tmp_path), part, 3, task)
    shards = open_shards([str(tmp_path)])
    expected = np.array([each.embeddings[0].astype(np.float16) for each in rows], np.float64)

    def check(corpora: list[Corpus]) -> None:
        (found,) = corpora
        assert found.faces == 900
        assert np.allclose(found.moments.mean, expected.mean(axis=0), atol=1e-12)
        assert np.allclose(found.moments.covariance(), np.cov(expected.T), atol=1e-12)
        assert len(found.sample.rows) == 50

    with beam.Pipeline(options=pipeline_options({})) as pipeline:
        assert_that(pipeline | beam.Create(shards) | ReadCorpus(3, 50), check)
    assert [read_corpus(shard, 50).faces for shard in shards] == [300, 10, 0, 590]


# --- The mixture

CENTRES = np.array([[8, 0, 0, 0, 0, 0], [-4, 7, 0, 0, 0, 0], [-4, -7, 1, 0, 0, 0]], np.float64)
SHARES = np.array([0.5, 0.3, 0.2])


def clusters(count: int, seed: int = 0) -> np.ndarray:
    """Three Gaussians with covariances of their own, far apart."""
    rng = np.random.default_rng(seed)
    member = rng.choice(3, size=count, p=SHARES)
    stretch = np.stack([np.diag(rng.uniform(0.5, 1.5, 6)) + 0.2 * rng.normal(size=(6, 6)) for _ in range(3)])
    return CENTRES[member] + np.einsum("nij,nj->ni", stretch[member], rng.normal(size=(count, 6)))


@pytest.fixture(scope="module")
def three() -> tuple[FaceSpace, np.ndarray]:
    """A space, and the vectors that it was fitted to."""
    vectors = clusters(6000).astype(np.float16)
    return fitted(vectors), vectors.astype(np.float64)


def test_draws_have_mean_covariance_and_shares_of_the_corpus(three):
    space, vectors = three
    assert space.record.gaussians >= 3
    drawn = raw(space, 20_000).astype(np.float64)
    error = vectors.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - vectors.mean(axis=0)) < SE * error).all()
    centred = vectors - vectors.mean(axis=0)
    products = centred[:, :, None] * centred[:, None]
    error = products.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(np.cov(drawn.T) - np.cov(vectors.T)) < SE * error).all()

    def shares(values: np.ndarray) -> np.ndarray:
        nearest = np.linalg.norm(values[:, None] - CENTRES, axis=2).argmin(axis=1)
        return np.bincount(nearest, minlength=3) / len(values)

    error = np.sqrt(SHARES * (1 - SHARES) * (1 / len(drawn) + 1 / len(vectors)))
    assert (np.abs(shares(drawn) - shares(vectors)) < SE * error).all()


def test_mean_and_covariance_are_those_of_all_faces_not_of_the_sample():
    vectors = clusters(4000).astype(np.float16)
    space = fit(corpus(vectors, sample=200), ["shards"], EMBEDDER, dims=4, most_gaussians=4, seed=0)
    assert (space.record.faces, space.record.sample) == (4000, 200)
    mixture = {name: values.astype(np.float64) for name, values in space.parameters.items()}
    weights, means, factors, axes = (mixture[name] for name in ("weights", "means", "factors", "axes"))
    inner = np.eye(6)  # along the last two components a face is normal
    covariances = factors @ factors.transpose(0, 2, 1) + means[:, :, None] * means[:, None]
    inner[:4, :4] = np.einsum("k,kij->ij", weights, covariances)
    assert np.allclose(weights @ means, 0, atol=1e-5)
    assert np.allclose(mixture["mean"], vectors.mean(axis=0, dtype=np.float64), atol=1e-5)
    assert np.allclose(axes @ inner @ axes.T, np.cov(vectors.T.astype(np.float64)), rtol=1e-3, atol=1e-3)


def test_draws_have_the_covariance_along_components_that_the_mixture_leaves_out():
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(4000, 6)) * [9, 5, 3, 2, 1, 0.5] + 20).astype(np.float16)
    space = fitted(vectors, dims=2)
    assert space.record.dims == 2
    drawn = raw(space, 10_000)
    assert np.allclose(drawn.std(axis=0), vectors.astype(float).std(axis=0), rtol=0.05)
    assert np.allclose(drawn.mean(axis=0), vectors.astype(float).mean(axis=0), atol=0.4)


@pytest.mark.parametrize(("count", "separate"), [(1, False), (3, True)])
def test_held_out_faces_decide_how_many_gaussians_there_are(three, count, separate):
    vectors = np.random.default_rng(0).normal(size=(3000, 6)).astype(np.float16)
    record = three[0].record if separate else fitted(vectors).record
    assert (record.gaussians >= count) if separate else (record.gaussians == count)
    best = max(record.held_out, key=lambda each: record.held_out[each])
    assert record.gaussians == int(best)
    assert "1" in record.held_out


def test_no_value_leaves_the_range_of_the_corpus():
    rng = np.random.default_rng(0)
    vectors = rng.exponential(size=(2000, 4)).astype(np.float16)  # as pooled activations: many near 0, none below
    drawn = raw(fitted(vectors, most_gaussians=1), 2000)
    assert drawn.min() >= vectors.min()
    assert drawn.max() <= vectors.max()


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.random.default_rng(0).normal(size=(9, 4)), "9 faces make no face space"),
        (np.ones((20, 4)), "all 20 faces have the same vector"),
    ],
)
def test_too_little_to_fit(vectors, message):
    with pytest.raises(UsageError, match=message):
        fitted(vectors)


def test_fewer_faces_than_dimensions_are_enough_and_come_with_a_warning():
    vectors = np.random.default_rng(0).normal(size=(30, 50)).astype(np.float16)
    space = fitted(vectors)
    assert any("30 faces are few for 50 dimensions" in warning for warning in space.record.warnings)
    centred = raw(space, 50) - vectors.astype(float).mean(axis=0)
    basis = np.linalg.svd(vectors - vectors.mean(axis=0, dtype=float), full_matrices=False)[2][:29]
    kept = space.parameters["low"] < space.parameters["high"]
    assert kept.all()
    # Where nothing is clipped, a draw is a combination of the faces.
    inside = (raw(space, 50) > space.parameters["low"]) & (raw(space, 50) < space.parameters["high"])
    free = centred[inside.all(axis=1)]
    assert np.allclose(free @ basis.T @ basis, free, atol=1e-3)


# --- Draws


def by_hand(sample: np.ndarray, too_near: float) -> FaceSpace:
    """A space whose parameters no library has fitted: two Gaussians in the first of three dimensions."""
    parameters = {
        "mean": np.array([1, 2, 3]),
        "axes": np.diag([3, 2, 1]),
        "weights": np.array([0.25, 0.75]),
        "means": np.array([[-1], [1]]),
        "factors": np.array([[[0.5]], [[0.25]]]),
        "low": np.full(3, -50),
        "high": np.full(3, 50),
    }
    record = SpaceRecord(
        corpus=["shards"], rows=9, faces=9, faceless=0, not_finite=0, embedder=EMBEDDER, dim=3, sha256="0" * 64,
        sample=len(sample), dims=1, held_out={}, gaussians=2, too_near=too_near, seed=0, warnings=[], versions={},
    )  # fmt: skip
    parameters = {name: np.asarray(values, np.float32) for name, values in parameters.items()}
    return FaceSpace(record, {**parameters, "sample": sample})


FAR = np.array([[1, 2, 3]], np.float16)  # the mean: no direction is near to it


def test_a_seed_gives_these_draws_on_any_machine():
    space = by_hand(FAR, 0.9)
    drawn = np.stack([each.vector for each in space.draws(7, 3)])
    expected = [[5.307282, 1.834953, 2.170917], [3.686234, 7.731889, 1.802567], [3.344251, 1.440383, 2.806423]]
    assert np.allclose(drawn, expected, atol=1e-5)
    assert np.array_equal(drawn, np.stack([space.draw(7, i) for i in range(3)]))


def test_a_face_does_not_depend_on_how_many_are_drawn():
    space = by_hand(FAR, 0.9)
    many = [each.vector for each in space.draws(0, 600)]
    few = [each.vector for each in space.draws(0, 300)]
    assert np.array_equal(many[:300], few)
    assert len({vector.tobytes() for vector in many}) == 600
    assert not np.array_equal(many[0], next(space.draws(1, 1)).vector)


def test_a_copy_of_a_face_of_the_corpus_is_drawn_again_and_the_others_stay():
    before = list(by_hand(FAR, 0.999).draws(0, 20))
    mean = np.array([1, 2, 3])
    copied = mean + 2 * (before[4].vector - mean)  # twice as far out: the same face, more so
    space = by_hand(copied[None].astype(np.float32), 0.999)
    after = list(space.draws(0, 20))
    assert [each.redrawn for each in before] == [0] * 20
    assert after[4].redrawn >= 1
    assert not np.array_equal(after[4].vector, before[4].vector)
    for one, other in zip(before, after, strict=True):
        assert other.nearest <= 0.999
        if other.redrawn == 0:
            assert np.array_equal(one.vector, other.vector)
    assert sum(each.redrawn == 0 for each in after) >= 15


def test_draws_that_always_come_too_near_are_given_up():
    with pytest.raises(UsageError, match="too few or too alike"):
        list(by_hand(FAR, -0.5).draws(0, 1))


def test_people_with_many_photographs_are_not_drawn():
    """The mixture has a Gaussian for such a person, and its draws are drawn again."""
    rng = np.random.default_rng(0)
    dim = 32
    person = 4 * rng.normal(size=dim)
    others = rng.normal(size=(3000, dim))
    photographs = person + 0.3 * rng.normal(size=(1000, dim))
    space = fitted(np.concatenate([others, photographs]).astype(np.float16))
    assert space.record.gaussians > 1

    def like_them(vectors: np.ndarray) -> np.ndarray:
        return np.linalg.norm(vectors - person, axis=1) < 4

    assert like_them(raw(space, 400)).mean() > 0.15
    drawn = list(space.draws(1, 400))
    assert not like_them(np.stack([each.vector for each in drawn])).any()
    assert sum(each.redrawn for each in drawn) > 60
    assert any("another one nearer than strangers come" in warning for warning in space.record.warnings)


def test_strangers_seldom_count_as_too_near():
    vectors = np.random.default_rng(0).normal(size=(3000, 32)).astype(np.float16)
    space = fitted(vectors)
    redrawn = sum(each.redrawn for each in space.draws(1, 2000))
    assert redrawn < 2000 * BY_CHANCE + SE * np.sqrt(2000 * BY_CHANCE)
    assert not any("strangers" in warning for warning in space.record.warnings)


def test_faces_of_a_bank_say_how_they_were_drawn():
    space = by_hand(FAR, 0.9)
    faces = list(space.faces(5, 2, "/spaces/one"))
    assert [face.face_id for face in faces] == ["random-5-000000", "random-5-000001"]
    assert faces[0].kind == Kind.RANDOM
    assert {**faces[1].provenance, "nearest": 0} == {
        "sources": [], "space": "/spaces/one", "space_sha256": "0" * 64, "seed": 5, "index": 1, "redrawn": 0,
        "nearest": 0,
    }  # fmt: skip


# --- The folder


def test_a_space_is_read_as_it_was_written(three, root):
    space, _ = three
    space.save(f"{root}/space")
    found = FaceSpace.load(f"{root}/space")
    assert found.record == space.record
    assert np.array_equal(raw(found, 5), raw(space, 5))


def test_a_space_that_is_not_whole_is_none(three, tmp_path):
    space, _ = three
    space.save(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"space.json", "space.safetensors"}
    (tmp_path / "space.safetensors").write_bytes(b"other")
    with pytest.raises(UsageError, match="is not the file that"):
        FaceSpace.load(str(tmp_path))
    space.save(str(tmp_path))
    record = (tmp_path / "space.json").read_text()
    for broken in ("{", "[]", record.replace('"version": 1', '"version": 2'), record.replace('"dims"', '"dimms"')):
        (tmp_path / "space.json").write_text(broken)
        with pytest.raises(UsageError, match="holds no face space"):
            FaceSpace.load(str(tmp_path))
    Path(tmp_path / "space.json").unlink()
    with pytest.raises(UsageError, match="make one with face0 faces fit"):
        FaceSpace.load(str(tmp_path))
