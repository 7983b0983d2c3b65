"""Training images: square, never enlarged, stored as they look."""

import numpy as np
import pytest
from PIL import Image

from face0.images.decoding import decode
from face0.images.training_image import centre_square, to_training_image
from tests.fixtures.pixels import difference
from tests.fixtures.poison import case, encode, exif, photo


@pytest.mark.parametrize("size", [(64, 64), (100, 60), (60, 100), (301, 200), (1, 9)])
@pytest.mark.parametrize("resolution", [32, 60, 64, 500])
def test_training_images_are_square_and_never_enlarged(size: tuple[int, int], resolution: int) -> None:
    data = encode(photo(*size), "PNG")
    decoded = decode(data)
    trained = to_training_image(decoded, data, resolution)
    side = min(*size, resolution)
    assert trained.pixels.shape == (side, side, 3)
    assert trained.pixels.dtype == np.uint8
    assert trained.pixels.flags["C_CONTIGUOUS"]
    unchanged = size == (side, side)
    assert (trained.data == data) == unchanged
    stored = decode(trained.data)
    assert stored.format == ("PNG" if unchanged else "JPEG")
    assert difference(stored.pixels, trained.pixels) < 2


def test_the_crop_is_the_centre() -> None:
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = (200, 100, 50)
    data = encode(wide, "PNG")
    trained = to_training_image(decode(data), data, 20)
    assert (trained.pixels == (200, 100, 50)).all()


def test_where_the_square_lies_in_the_image() -> None:
    pixels = np.zeros((40, 100, 3), np.uint8)
    pixels[20:28, 50:58] = 255
    square = centre_square(pixels, 20)
    rows, columns = np.nonzero(square.pixels[:, :, 0] > 127)
    corner = np.array([columns.min(), rows.min()])
    assert (corner * square.scale + square.shift).tolist() == [50, 20]


def test_shrinking_averages() -> None:
    """A checkerboard of single pixels becomes an even grey: without antialiasing it would be a pattern."""
    board = np.indices((256, 256)).sum(axis=0) % 2 * np.uint8(255)
    data = encode(board.astype(np.uint8), "PNG")
    trained = to_training_image(decode(data), data, 100)
    assert np.abs(trained.pixels[5:-5, 5:-5].astype(int) - 127).max() < 12


def test_a_converted_image_is_stored_as_it_looks() -> None:
    for name in ("png_icc_swapped", "png_rgba", "jpeg_cmyk_60", "png_16_grey", "jpeg_exif_6", "gif_animated"):
        poison = case(name)
        decoded = decode(poison.data)
        trained = to_training_image(decoded, poison.data, 1000)
        assert trained.data != poison.data
        stored = decode(trained.data)
        assert stored.faithful
        assert difference(stored.pixels, trained.pixels) < 3


def test_a_converted_square_is_not_kept() -> None:
    turned = encode(photo(32, 32), "PNG", exif=exif(3))
    trained = to_training_image(decode(turned), turned, 32)
    assert trained.data != turned
    assert difference(decode(trained.data).pixels, photo(32, 32)[::-1, ::-1]) < 40
    assert difference(decode(trained.data).pixels, trained.pixels) < 3


def test_colour_is_stored_at_full_resolution() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2, 0], stripes[:, 1::2, 2] = 255, 255  # red and blue, one pixel each: 4:2:0 would give purple
    data = encode(Image.fromarray(stripes).resize((32, 40), Image.Resampling.NEAREST), "PNG")
    trained = to_training_image(decode(data), data, 32)
    assert difference(decode(trained.data).pixels, trained.pixels) < 12


def test_draft_and_resize_come_close_to_a_plain_resize() -> None:
    data = encode(photo(512, 768), "JPEG", quality=95)
    exact = to_training_image(decode(data), data, 64)
    quick = to_training_image(decode(data, smallest_side=64), data, 64)
    assert difference(exact.pixels, quick.pixels) < 1
