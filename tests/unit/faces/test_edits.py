"""Faces made of faces: noise, mixtures, directions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from face0.errors import UsageError
from face0.faces.bank import BankFace, read_bank, write_bank
from face0.faces.edits import Gallery, interpolate, linear, noisy, perturb, spherical, translate
from schemas.face_bank import Kind

EMBEDDER = {"name": "made up", "sha256": "0" * 64}
A, B, C = (np.array(values, np.float32) for values in ([3, 0, 0, 0], [0, 4, 0, 0], [0, 0, 1, 1]))

directions = st.lists(st.floats(-10, 10).filter(lambda value: abs(value) > 0.01), min_size=4, max_size=4).map(np.array)
shares = st.floats(0, 1)


def bank(path, embedder=EMBEDDER, **vectors):
    faces = [BankFace(face_id=name, vector=v, kind=Kind.SHARD, note="" if v is not None else "no face was found")
             for name, v in vectors.items()]  # fmt: skip
    write_bank(str(path), faces, 4, embedder)
    return str(path)


@pytest.fixture
def uri(tmp_path):
    return bank(tmp_path / "bank.parquet", anna=A, bert=B, carl=C, nobody=None)


# --- Noise


def test_noise_is_in_units_of_the_vectors_size():
    vector = np.full(10_000, 5, np.float32)
    for sigma in (0.1, 1.0):
        noise = noisy(vector, sigma, 0) - vector
        assert np.std(noise) == pytest.approx(5 * sigma, rel=0.03)
        assert abs(np.mean(noise)) < 0.05 * 5 * sigma
    assert np.allclose(noisy(10 * vector, 0.3, 4), 10 * noisy(vector, 0.3, 4), rtol=1e-5)


def test_no_noise_changes_nothing():
    assert np.array_equal(noisy(A, 0, 3), A)
    assert noisy(A.astype(np.float16), 0, 3).dtype == np.float32
    assert np.array_equal(noisy(np.zeros(4), 1, 0), np.zeros(4))


def test_the_noise_of_a_seed_is_this_on_any_machine():
    vector = np.array([3, -3, 3, -3], np.float32)
    assert np.allclose(noisy(vector, 0.1, 0), [2.457082, -3.045910, 2.899079, -3.174725], atol=1e-5)
    assert not np.array_equal(noisy(vector, 0.1, 0), noisy(vector, 0.1, 1))


def test_varied_faces_are_one_for_each_seed(uri):
    few = list(perturb(Gallery([uri]), "bert", 0.2, 2, seed=5))
    many = list(perturb(Gallery([uri]), "bert", 0.2, 4, seed=5))
    assert [face.face_id for face in many] == [f"bert-noise-0.2-{seed}" for seed in (5, 6, 7, 8)]
    assert all(np.array_equal(one.vector, other.vector) for one, other in zip(few, many[:2], strict=True))
    assert np.array_equal(many[1].vector, noisy(B, 0.2, 6))
    assert many[1].provenance == {"sources": [{"face_id": "bert", "bank": uri}], "sigma": 0.2, "seed": 6}
    assert many[1].kind == Kind.NOISE


# --- Mixtures


@given(directions, directions)
def test_ways_begin_and_end_where_they_should(a, b):
    for way in (linear, spherical):
        assert np.allclose(way(a, b, 0), a, rtol=1e-5, atol=1e-5)
        assert np.allclose(way(a, b, 1), b, rtol=1e-5, atol=1e-5)


@given(directions, directions, shares)
def test_a_turn_is_even_and_its_length_is_between(a, b, share):
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    angle = np.arccos(np.clip(cosine, -1, 1))
    if not 0.01 < angle < 3.1:
        return
    point = spherical(a, b, share).astype(float)
    length = np.linalg.norm(point)
    assert length == pytest.approx((1 - share) * np.linalg.norm(a) + share * np.linalg.norm(b), rel=1e-5)
    turned = np.arccos(np.clip(a @ point / np.linalg.norm(a) / length, -1, 1))
    assert turned == pytest.approx(share * angle, abs=2e-3)


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_a_turn_between_faces_in_one_direction(factor):
    assert np.allclose(spherical(A, factor * A, 0.5), A * (1 + factor) / 2)


@pytest.mark.parametrize(("end", "message"), [(-A, "opposites"), (np.zeros(4), "no direction")])
def test_where_there_is_no_turn(end, message):
    with pytest.raises(UsageError, match=message):
        spherical(A, end, 0.5)


def test_a_mixture_of_bank_faces(uri):
    straight = list(interpolate(Gallery([uri]), "anna", "bert", 3, is_spherical=False))
    assert [face.face_id for face in straight] == ["anna-bert-0", "anna-bert-0.5", "anna-bert-1"]
    assert np.allclose([face.vector for face in straight], [A, [1.5, 2, 0, 0], B])
    turned = list(interpolate(Gallery([uri]), "anna", "bert", 3, is_spherical=True))
    assert np.allclose(turned[1].vector, np.array([3.5, 3.5, 0, 0]) / np.sqrt(2))
    assert turned[1].kind == Kind.MIX
    assert turned[1].provenance == {
        "sources": [{"face_id": "anna", "bank": uri}, {"face_id": "bert", "bank": uri}],
        "share": 0.5,
        "way": "spherical",
    }


# --- Directions


def test_a_face_is_moved_along_the_difference_of_two(uri):
    faces = list(translate(Gallery([uri]), "anna", "bert", "carl", [1, -0.5, 0]))
    assert np.allclose([face.vector for face in faces], [C + B - A, C - 0.5 * (B - A), C])
    assert [face.face_id for face in faces] == ["carl-anna-bert-1", "carl-anna-bert--0.5", "carl-anna-bert-0"]
    assert faces[1].kind == Kind.DIRECTION
    assert faces[1].provenance == {
        "sources": [{"face_id": name, "bank": uri} for name in ("carl", "anna", "bert")],
        "from": "anna",
        "to": "bert",
        "strength": -0.5,
    }


def test_the_faces_may_stand_in_several_banks(uri, tmp_path):
    other = bank(tmp_path / "other.parquet", dora=C)
    (face,) = translate(Gallery([uri, other]), "anna", "bert", "dora", [1])
    assert face.provenance["sources"][0] == {"face_id": "dora", "bank": other}


# --- What is refused


def test_faces_that_cannot_be_used(uri):
    gallery = Gallery([uri])
    with pytest.raises(UsageError, match="holds no face 'zoe': it has 'anna', 'bert', 'carl', 'nobody'"):
        gallery.vector("zoe")
    with pytest.raises(UsageError, match=r"'nobody' has no vector \(no face was found\)"):
        list(interpolate(gallery, "anna", "nobody", 3, is_spherical=False))


def test_banks_that_do_not_go_together(uri, tmp_path):
    with pytest.raises(UsageError, match=r"different embedders .*name: other, made up"):
        Gallery([uri, bank(tmp_path / "embedder.parquet", {**EMBEDDER, "name": "other"}, zoe=A)])
    with pytest.raises(UsageError, match="both have a face 'anna'"):
        Gallery([uri, bank(tmp_path / "again.parquet", anna=A)])


def test_an_edited_face_is_a_row_like_any_other(uri, tmp_path):
    gallery = Gallery([uri])
    out = str(tmp_path / "mixed.parquet")
    write_bank(out, interpolate(gallery, "anna", "carl", 5, is_spherical=True), gallery.dim, gallery.embedder)
    found = read_bank(out)
    assert found.embedder == EMBEDDER
    again = Gallery([uri, out])
    assert np.array_equal(again.vector("anna-carl-0.5"), found.faces["anna-carl-0.5"].vector)


def test_a_face_is_found_in_either_unicode_form(tmp_path):
    gallery = Gallery([bank(tmp_path / "b.parquet", **{"Jose\u0301": A})])
    assert gallery.vector("Jos\u00e9").tolist() == A.tolist()
    assert gallery.source("Jos\u00e9")["face_id"] == "Jose\u0301"
