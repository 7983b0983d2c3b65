"""Draws that are nobody's, and the folder of a face space."""

from pathlib import Path

import numpy as np
import pytest

from face0.errors import UsageError
from face0.faces.space import FaceSpace
from schemas.face_bank import Kind
from schemas.face_space import SpaceRecord
from tests.fixtures.spaces import EMBEDDER, clusters, fitted, raw


@pytest.fixture(scope="module")
def three() -> tuple[FaceSpace, np.ndarray]:
    """A space, and the vectors that it was fitted to."""
    vectors = clusters(6000).astype(np.float16)
    return fitted(vectors), vectors.astype(np.float64)


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
