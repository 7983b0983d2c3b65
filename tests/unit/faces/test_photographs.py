"""Faces of photographs: who is in a folder, what is seen of each, and how several become one."""

import hashlib
import io
import re
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from face0.detection.detections import FaceFilter
from face0.detection.portraits import portrait
from face0.embedders.specification import embedder_config
from face0.errors import UsageError
from face0.faces.photographs import (
    FULL_DETAIL,
    FaceReader,
    PhotographFace,
    from_photographs,
    joined,
    photographs_by_person,
)
from schemas.face_bank import Kind
from tests.fixtures.pictures import original, picture


@pytest.fixture(scope="module")
def read() -> FaceReader:
    return FaceReader(embedder_config("random:0").load("cpu"), FaceFilter(max_faces=100), 512, "cpu")


@pytest.fixture(scope="module")
def recognise(shared_data) -> FaceReader:
    """With an embedder that tells people apart."""
    config = embedder_config(f"onnx:{shared_data}/models/mobilefacenet.onnx").resolve()
    return FaceReader(config.load("cpu"), FaceFilter(max_faces=100), 512, "cpu")


def image(name: str) -> Image.Image:
    return Image.open(io.BytesIO(original(name))).convert("RGB")


def opened(data: bytes | None) -> Image.Image:
    assert data is not None
    return Image.open(io.BytesIO(data))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


# --- Who is in a folder


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_files_and_sub_folders_are_faces(tmp_path):
    write(tmp_path, "bert.v2.JPG", "anna/2.jpg", "anna/1.png", "anna/more/3.webp", "anna/notes.txt", "zoe/notes.txt")
    write(tmp_path, ".hidden.jpg", "anna/.DS_Store", ".cache/x.jpg", "readme.md")
    assert photographs_by_person(str(tmp_path)) == {
        "anna": [f"{tmp_path}/anna/{name}" for name in ("1.png", "2.jpg", "more/3.webp")],
        "bert.v2": [f"{tmp_path}/bert.v2.JPG"],
        "zoe": [],
    }


@pytest.mark.parametrize("names", [("anna.jpg", "anna.png"), ("anna.jpg", "anna/1.jpg")])
def test_two_faces_of_one_name_are_refused(tmp_path, names):
    write(tmp_path, *names)
    with pytest.raises(UsageError, match=r"would both be the face 'anna': rename one"):
        photographs_by_person(str(tmp_path))


def test_where_there_are_no_photographs(tmp_path):
    write(tmp_path, "notes.txt")
    with pytest.raises(UsageError, match="no photographs lie in"):
        photographs_by_person(str(tmp_path))
    for path in ("notes.txt", "absent"):
        with pytest.raises(UsageError, match="is no folder"):
            photographs_by_person(str(tmp_path / path))


def test_a_folder_on_another_file_system(root, read):
    fs, path = fsspec.core.url_to_fs(root)
    fs.makedirs(f"{path}/anna", exist_ok=True)
    fs.pipe_file(f"{path}/anna/1.jpg", picture("astronaut"))
    found = photographs_by_person(root)
    assert list(found) == ["anna"]
    (face,) = from_photographs(found, read, threads=1)
    assert face.vector is not None
    assert face.provenance["sources"][0]["uri"] == found["anna"][0]


# --- What is seen of a photograph


def test_the_face_of_a_photograph(tmp_path, read):
    path = tmp_path / "admiral.jpg"
    path.write_bytes(original("admiral"))
    seen = read(str(path))
    assert seen.note == ""
    assert seen.vector is not None
    assert seen.vector.shape == (1792,)
    assert seen.sha256 == hashlib.sha256(original("admiral")).hexdigest()
    x0, y0, x1, y1 = seen.box
    assert 150 < x0 < 200 < 330 < x1 < 380
    assert 90 < y0 < 150 < 310 < y1 < 370
    assert 0.9 * FULL_DETAIL < seen.weight <= FULL_DETAIL


def test_a_large_photograph_is_looked_at_small_and_told_in_its_own_pixels(tmp_path, read):
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    image("astronaut").save(small)
    image("astronaut").resize((1536, 1536), Image.Resampling.LANCZOS).save(large)
    one, other = read(str(small)), read(str(large))
    assert np.allclose(np.array(other.box) / 3, one.box, atol=3)
    assert cosine(one.vector, other.vector) > 0.99
    assert max(opened(other.portrait).size) == 256
    assert max(opened(one.portrait).size) < 256  # never enlarged


def test_margins_mean_pixels_of_the_resolution(tmp_path):
    """An embedder whose crop has margins sees less of the surroundings where the photograph is looked at larger."""
    embedder = embedder_config("random:0").load("cpu")
    path = tmp_path / "large.png"
    image("astronaut").resize((1024, 1024), Image.Resampling.LANCZOS).save(path)
    usual, larger = (FaceReader(embedder, FaceFilter(), resolution, "cpu")(str(path)) for resolution in (512, 1024))
    assert cosine(usual.vector, larger.vector) < 0.999
    assert np.allclose(usual.box, larger.box, atol=8)


def test_the_largest_of_several_faces_is_taken_and_it_is_said(tmp_path, read):
    both = Image.new("RGB", (700, 512))
    both.paste(image("astronaut"), (0, 0))
    both.paste(image("admiral").resize((192, 225)), (430, 100))
    both.save(tmp_path / "both.png")
    seen = read(str(tmp_path / "both.png"))
    assert seen.note == "has 2 faces: the largest was taken"
    assert 150 < seen.box[0] < 220
    image("astronaut").save(tmp_path / "one.png")
    assert cosine(seen.vector, read(str(tmp_path / "one.png")).vector) > 0.98


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (original("coffee"), "no face was found"),
        (original("admiral")[:5000], "cannot be read: JPEG of .* ends after 5,000"),
        (b"hello", "cannot be read: "),
        (b"", "cannot be read: "),
        (None, "cannot be read: "),
    ],
)
def test_what_is_wrong_is_a_note(tmp_path, read, data, note):
    if data is not None:
        (tmp_path / "x.jpg").write_bytes(data)
    seen = read(str(tmp_path / "x.jpg"))
    assert seen.vector is None
    assert seen.portrait is None
    assert re.match(note, seen.note)


@pytest.mark.parametrize("box", [(180, 70, 270, 180), (190, 75, 260, 165)])
@pytest.mark.parametrize("side", [112, 512])
def test_a_face_that_fills_the_picture(tmp_path, recognise, box, side):
    image("astronaut").save(tmp_path / "whole.png")
    crop = image("astronaut").crop(box)
    crop.resize((side, round(side * crop.height / crop.width))).save(tmp_path / "crop.png")
    assert cosine(recognise(str(tmp_path / "crop.png")).vector, recognise(str(tmp_path / "whole.png")).vector) > 0.8


def test_photographs_of_one_person_are_alike(tmp_path, recognise):
    for name in ("astronaut", "admiral"):
        for side in (150, 300):
            (tmp_path / f"{name}{side}.jpg").write_bytes(picture(name, side, shift=side // 30))
    seen = {path.stem: recognise(str(path)).vector for path in tmp_path.iterdir()}
    assert cosine(seen["astronaut150"], seen["astronaut300"]) > 0.7
    assert cosine(seen["astronaut300"], seen["admiral300"]) < 0.3


# --- Portraits


def test_a_portrait_shows_the_face_with_its_surroundings():
    pixels = np.zeros((400, 600, 3), np.uint8)
    pixels[100:140, 300:330] = 255
    shown = np.asarray(opened(portrait(pixels, np.array([300, 100, 330, 140]))).convert("L"))
    assert shown.shape == (80, 80)
    assert shown[25:55, 30:50].mean() > 240
    assert shown[:10].mean() < 10


@pytest.mark.parametrize("box", [(-30, -40, 500, 700), (500, 300, 640, 420), (0, 0, 600, 400)])
def test_a_portrait_ends_with_the_picture(box):
    shown = opened(portrait(np.full((400, 600, 3), 200, np.uint8), np.array(box)))
    assert shown.format == "JPEG"
    assert max(shown.size) <= 256
    assert np.asarray(shown).min() > 190


# --- Several photographs of one person


def test_several_photographs_are_their_weighted_mean():
    a = PhotographFace(
        uri="x/a.jpg", sha256="1", vector=np.array([1, 0], np.float32), box=[0, 0, 9, 9], weight=30, portrait=b"a"
    )
    b = PhotographFace(
        uri="x/b.jpg", sha256="2", vector=np.array([5, 4], np.float32), box=[1, 1, 5, 5], weight=90, portrait=b"b",
        note="has 2 faces: the largest was taken",
    )  # fmt: skip
    c = PhotographFace(uri="x/c.jpg", sha256="3", note="no face was found")
    face = joined("anna", [a, b, c])
    assert np.array_equal(face.vector, [4, 3])
    assert face.kind == Kind.PHOTOS
    assert face.portrait == b"b"
    assert face.note == "b.jpg has 2 faces: the largest was taken; c.jpg no face was found"
    assert face.provenance == {
        "sources": [
            {"uri": "x/a.jpg", "sha256": "1", "box": [0, 0, 9, 9], "weight": 0.25},
            {"uri": "x/b.jpg", "sha256": "2", "box": [1, 1, 5, 5], "weight": 0.75},
        ]
    }


def test_a_person_without_a_usable_photograph():
    assert joined("anna", []).note == "the folder holds no photograph"
    face = joined("anna", [PhotographFace(uri="a.jpg", note="no face was found")])
    assert (face.vector, face.portrait, face.note) == (None, None, "a.jpg no face was found")


def test_threads_change_nothing(tmp_path, read):
    for i in range(6):
        (tmp_path / f"{i}.jpg").write_bytes(picture(("astronaut", "admiral", "coffee")[i % 3], 160, i))
    found = photographs_by_person(str(tmp_path))
    one, several = (list(from_photographs(found, read, threads)) for threads in (1, 3))
    assert [face.face_id for face in several] == [str(i) for i in range(6)]
    for a, b in zip(one, several, strict=True):
        assert (a.vector is None) == (b.vector is None)
        assert a.vector is None or np.array_equal(a.vector, b.vector)
        assert (a.provenance, a.portrait, a.note) == (b.provenance, b.portrait, b.note)
