"""Image files say how they were made, and thumbnails are small."""

import io
import json

import numpy as np
import pytest
from PIL import ExifTags, Image

from face0.generation.image_files import THUMBNAIL, encode_image, parameters, thumbnail
from tests.fixtures.requests import request

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
ORIGIN = {"model": "0123456789abcdef", "step": 5, "version": "1.0"}


def texts(image: Image.Image) -> tuple[str, str]:
    """The record and the parameters in an image file."""
    if image.format == "PNG":
        return image.text["face0"], image.text["parameters"]
    exif = image.getexif()
    comment = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
    assert comment.startswith(b"UNICODE\0")
    return exif[ExifTags.Base.ImageDescription], comment[8:].decode("utf-16-be")


@pytest.mark.parametrize("suffix", ["png", "webp", "jpeg"])
def test_the_request_can_be_read_from_its_image(suffix):
    asked = request(7, prompt="a café", negative_prompt="blur", label="mine")
    image = Image.open(io.BytesIO(encode_image(PIXELS, suffix, 90, asked, ORIGIN)))
    record, shown = texts(image)
    assert json.loads(record) == {"request_id": asked.request_id, **asked.settings, "label": "mine", **ORIGIN}
    assert shown == parameters(asked, ORIGIN)
    assert image.size == (48, 32)


def test_png_keeps_every_pixel():
    found = np.asarray(Image.open(io.BytesIO(encode_image(PIXELS, "png", 90, request(), ORIGIN))))
    assert np.array_equal(found, PIXELS)


def test_parameters_are_as_other_tools_read_them():
    asked = request(7, prompt="a cat", negative_prompt="blur", face_id="anna, of 1.jpg", sampler="dpm++", c=0.4)
    assert parameters(asked, ORIGIN).split("\n") == [
        "a cat",
        "Negative prompt: blur",
        "Steps: 3, Sampler: DPM++ 2M, CFG scale: 7.5, Seed: 7, Size: 64x64, Model hash: 0123456789, "
        "Face: anna  of 1.jpg, Face guidance: c 0.4 a 0, Version: face0 1.0",
    ]


@pytest.mark.parametrize(("size", "expected"), [((512, 256), (128, 64)), ((64, 100), (64, 100))])
def test_a_thumbnail_is_small_and_never_enlarged(size, expected):
    image = Image.open(io.BytesIO(thumbnail(np.zeros((*size[::-1], 3), np.uint8))))
    assert (image.format, image.size) == ("JPEG", expected)
    assert max(image.size) <= THUMBNAIL
