"""From stored rows to tensors: images, faces, and rows that do not decode."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from face0.shards.decoding import decode_into
from face0.shards.loader import FaceShards
from tests.fixtures.pictures import people
from tests.fixtures.shards import NONE, assert_whole, picture_of, row, take, write


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
