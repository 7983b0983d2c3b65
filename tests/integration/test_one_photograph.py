"""One photograph, one vector: what augment stores, a bank holds and the pipeline is conditioned on."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from face0.embedders.specification import embedder_config
from face0.errors import UsageError
from face0.faces import embedding
from face0.faces.bank import BankFace, read_bank
from face0.faces.photographs import OUTSIDE
from face0.model.pipeline import Face0Pipeline
from jobs.main import main
from tests.fixtures.models import tiny_pipeline
from tests.fixtures.pictures import augment, captioned, original, people, rows, write_tar

SPECS = ["random:0", "onnx"]


def spec_of(name: str, request: pytest.FixtureRequest) -> str:
    return name if name != "onnx" else f"onnx:{request.getfixturevalue('shared_data')}/models/mobilefacenet.onnx"


def encoded(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def admiral() -> Image.Image:
    """A photograph of 512 x 600 pixels."""
    return Image.open(io.BytesIO(original("admiral"))).convert("RGB").crop((0, 0, 512, 600))


def sideways() -> bytes:
    """The same, stored lying on its side with an EXIF that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(admiral().transpose(Image.Transpose.ROTATE_90), quality=95, exif=exif)


def large() -> bytes:
    """A JPEG that is decoded at half its size."""
    return encoded(admiral().resize((2560, 3000), Image.Resampling.BICUBIC), quality=90)


def see_through() -> bytes:
    """A PNG with a border that is not there."""
    image = admiral().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    alpha = Image.new("L", image.size, 0)
    alpha.paste(255, (60, 60, 460, 560))
    image.putalpha(alpha)
    return encoded(image, "PNG")


PHOTOGRAPHS = {
    "upright": lambda: encoded(admiral(), quality=92),
    "sideways": sideways,
    "large": large,
    "see-through": see_through,
}


def portrait_of(shared: Path) -> bytes:
    """A shared portrait, cut to 824 x 1024 pixels."""
    with tarfile.open(shared / "portraits" / "portraits-00000.tar") as tar:
        file = tar.extractfile("female-00.jpg")
        assert file is not None
        return encoded(Image.open(file).crop((100, 0, 924, 1024)), quality=92)


def stored(photograph: bytes, spec: str, folder: Path, *options: str) -> np.ndarray:
    """What augment makes of it, among others, float32 [n, dim]."""
    image = Image.open(io.BytesIO(photograph))
    name = f"x.{'png' if image.format == 'PNG' else 'jpg'}"
    others = people(5)
    inputs = write_tar(folder / "in.tar", captioned([*others[:2], (name, photograph), *others[2:]]))
    assert augment(inputs, folder / "shards", "--embedder", spec, *options) == 0
    (row,) = [row for row in rows(folder / "shards") if row["key"] == "x"]
    return np.array(row["embeddings"], np.float32)


def banked(photograph: bytes, spec: str, folder: Path, *options: str) -> BankFace:
    """What from-photos makes of it."""
    (folder / "people").mkdir()
    (folder / "people" / "x.jpg").write_bytes(photograph)
    output = str(folder / "bank.parquet")
    command = ["faces", "from-photos", str(folder / "people"), "--embedder", spec, "--output", output, *options]
    assert main(command) == 0
    return read_bank(output).faces["x"]


def pipeline(spec: str) -> Face0Pipeline:
    embedder = embedder_config(spec).resolve().load("cpu")
    pipe = tiny_pipeline(dim=embedder.dim)
    pipe.embedder = embedder
    return pipe


def assert_one_vector(photograph: bytes, spec: str, folder: Path, resolution: int = 512) -> None:
    pipe = pipeline(spec)
    pipe.resolution = resolution
    shard = stored(photograph, spec, folder, "--resolution", str(resolution))
    bank = banked(photograph, spec, folder, "--resolution", str(resolution))
    slots = pipe.face_projection.config.slots
    in_pipeline = pipe.face_vectors(Image.open(io.BytesIO(photograph)))
    assert np.array_equal(bank.vector, shard[0])
    assert np.array_equal(in_pipeline, shard[:slots])
    assert bank.note in ("", f"x.jpg has {len(shard)} faces: the largest was taken")


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("spec", SPECS)
def test_the_three_ways_give_the_same_vector(tmp_path, request, name, spec):
    assert_one_vector(PHOTOGRAPHS[name](), spec_of(spec, request), tmp_path)


def test_so_they_do_at_the_resolution_of_other_shards(tmp_path):
    assert_one_vector(PHOTOGRAPHS["upright"](), "random:0", tmp_path, resolution=256)


@pytest.mark.parametrize("spec", SPECS)
def test_so_they_do_of_a_portrait(tmp_path, request, shared_data, spec):
    assert_one_vector(portrait_of(shared_data), spec_of(spec, request), tmp_path)


def test_so_they_do_in_float32_where_kernels_depend_on_the_size_of_a_batch(tmp_path):
    embedder = embedder_config("random:0", precision="fp32").load("cpu")
    finder = embedding.FaceEmbedder(embedder, embedding.FaceFilter(), "cpu")
    images = [np.asarray(Image.open(io.BytesIO(data))) for _, data in people(7)]
    together = finder.training_images(images)
    for image, found in zip(images, together, strict=True):
        assert np.array_equal(finder.photograph(image, most=4).vectors, found.vectors)
        assert np.array_equal(finder.training_images([image])[0].vectors, found.vectors)


def test_threads_change_nothing(tmp_path):
    def vectors() -> np.ndarray:
        return pipeline("random:0").face_vectors(Image.open(io.BytesIO(original("admiral"))))

    one = vectors()
    torch.set_num_threads(2)
    try:
        assert np.array_equal(vectors(), one)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_an_image_in_memory_is_seen_as_its_file_is():
    pipe = pipeline("random:0")
    for name in ("upright", "sideways", "see-through"):
        unread, loaded = (Image.open(io.BytesIO(PHOTOGRAPHS[name]())) for _ in range(2))
        loaded.load()
        assert np.array_equal(pipe.face_vectors(unread), pipe.face_vectors(loaded))
        assert unread.size == loaded.size  # it was left as it was
        assert np.array_equal(np.asarray(unread), np.asarray(loaded))


def test_the_photograph_is_what_the_model_is_given():
    """And the detector is loaded once."""
    pipe = pipeline("random:0")
    photograph = Image.open(io.BytesIO(original("admiral")))
    usual = {"num_inference_steps": 1, "output_type": "np"}

    def made(face) -> np.ndarray:
        return pipe("a man", face=face, generator=torch.Generator().manual_seed(0), **usual).images

    (first,) = made(photograph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "Detector", None)
        assert np.array_equal(made(photograph)[0], first)
    assert np.array_equal(made(pipe.face_vectors(photograph)[0])[0], first)
    assert not np.array_equal(made(None)[0], first)


def test_what_is_wrong_with_a_photograph_is_said():
    pipe = tiny_pipeline(dim=1792)
    coffee = Image.open(io.BytesIO(original("coffee")))
    with pytest.raises(UsageError, match=r"set pipe\.embedder = embedder_config"):
        pipe.face_vectors(coffee)
    pipe.embedder = embedder_config("random:0").load("cpu")
    with pytest.raises(UsageError, match="no face was found"):
        pipe.face_vectors(coffee)
    with pytest.raises(UsageError, match=r"cannot be read: JPEG of .* ends after 5,000"):
        pipe.face_vectors(Image.open(io.BytesIO(original("admiral")[:5000])))
    with pytest.raises(UsageError, match="cannot be read: an image with pixels of mode F"):
        pipe.face_vectors(Image.new("F", (64, 64)))


def test_a_face_outside_the_square_is_found_and_it_is_said(tmp_path):
    """augment, which stores the square, does not see it."""
    image = Image.new("RGB", (1600, 512), "grey")
    image.paste(admiral().resize((360, 422)), (0, 40))
    photograph = encoded(image, quality=95)
    inputs = write_tar(tmp_path / "in.tar", captioned([*people(1), ("x.jpg", photograph)]))
    assert augment(inputs, tmp_path / "shards") == 0
    assert [row["key"] for row in rows(tmp_path / "shards")] == ["p0000"]
    bank = banked(photograph, "random:0", tmp_path)
    assert bank.note == f"x.jpg {OUTSIDE}"
    x0, _, x1, _ = bank.provenance["sources"][0]["box"]
    assert 0 < x0 < x1 < 360
    assert np.array_equal(pipeline("random:0").face_vectors(Image.open(io.BytesIO(photograph))), bank.vector[None])
