"""People in face spaces."""

import numpy as np
import pytest

from face0.embedders.identity import identity_of
from face0.errors import UsageError
from face0.faces.bank import read_bank
from face0.faces.space import FaceSpace
from face0.faces.space_fit import fit
from face0.privacy.forgetting import forget, look_for
from face0.privacy.locations import classify
from face0.privacy.people import Subjects, subjects_of
from schemas.face_bank import Kind
from tests.fixtures.holdings import ANNA, DIM, EMBEDDER, bank, face
from tests.fixtures.spaces import corpus

STRANGERS = np.random.default_rng(0).normal([-1, 3, 3, 3], 0.5, (60, DIM)).astype(np.float32)


@pytest.fixture
def space(tmp_path) -> str:
    """A space whose sample holds 60 strangers and three photographs of Anna."""
    vectors = np.concatenate([STRANGERS, np.tile(ANNA, (3, 1))])
    uri = str(tmp_path / "space")
    fit(corpus(vectors), [str(tmp_path / "shards")], EMBEDDER, 4, 1, 0).save(uri)
    return uri


def people(tmp_path, embedder=None) -> Subjects:
    uri = bank(str(tmp_path / "wanted.parquet"), face("anna", ANNA, Kind.PHOTOS, []), embedder=embedder)
    return subjects_of(uri, read_bank(uri), 0.9, identity_of(EMBEDDER))


def test_vectors_of_the_person_leave_the_sample_and_the_space_still_opens(space, tmp_path):
    before = FaceSpace.load(space)
    findings = look_for(people(tmp_path), classify([space]))
    (matches,) = findings.places
    assert (matches.kind, matches.size, len(matches.found)) == ("space", 63, 3)
    assert "fit it anew" in matches.note
    forget(findings)
    after = FaceSpace.load(space)
    assert after.record.sample == len(after.parameters["sample"]) == 60
    assert np.array_equal(np.sort(after.parameters["sample"], axis=0), np.sort(STRANGERS.astype(np.float16), axis=0))
    assert np.array_equal(after.draw(0, 0), before.draw(0, 0))
    (matches,) = look_for(people(tmp_path), classify([space])).places
    assert (matches.found, matches.note) == ([], "")


def test_a_space_without_the_person_stays_as_it_is(space, tmp_path):
    record = FaceSpace.load(space).record
    forget(look_for(people(tmp_path), classify([space])))
    changed = FaceSpace.load(space).record.sha256
    forget(look_for(people(tmp_path), classify([space])))
    assert record.sha256 != changed == FaceSpace.load(space).record.sha256


def test_a_space_of_nobody_else_is_removed(tmp_path):
    vectors = np.abs(np.random.default_rng(0).normal(ANNA, 0.05, (20, DIM))).astype(np.float32)
    uri = str(tmp_path / "space")
    fit(corpus(vectors), ["shards"], EMBEDDER, 4, 1, 0).save(uri)
    forget(look_for(people(tmp_path), classify([uri])))
    with pytest.raises(UsageError, match="holds no face space"):
        FaceSpace.load(uri)


def test_a_space_of_another_embedder_is_refused(space, tmp_path):
    with pytest.raises(UsageError, match="different embedders"):
        look_for(people(tmp_path, {**EMBEDDER, "sha256": "11"}), classify([space]))
