"""Every kind of image comes out right or is refused with its reason, whatever its bytes are."""

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from face0.images.decoding import BadImage, decode, decode_opened
from tests.fixtures.pixels import CUT, difference, reason_of
from tests.fixtures.poison import (
    CASES,
    GREY,
    PHOTO,
    Poison,
    case,
    chunk,
    encode,
    exif,
    photo,
    png_of,
    with_segment,
)

GOOD = [poison for poison in CASES if poison.reason is None]
BAD = [poison for poison in CASES if poison.reason is not None]
# Every pixel as it is in the file, and nothing that a plain decoder could see differently.
FAITHFUL = {
    *("jpeg", "jpeg_progressive", "jpeg_grey", "png", "png_grey", "webp", "webp_lossless", "tiff", "tiff_lzw"),
    *("tiff_big", "png_named_jpg", "no_ending", "jpeg_exif_1", "png_exif_1", "webp_exif_1", "tiff_exif_1"),
    *("jpeg_exif_unknown", "jpeg_exif_short", "jpeg_exif_noise", "jpeg_exif_loop", "jpeg_thumbnail", "jpeg_icc_srgb"),
    *("png_grey_icc_rgb", "png_icc_broken", "png_icc_other_space", "jpeg_icc_lab", "jpeg_junk_after"),
    *("jpeg_noise_in_scan", "one_pixel", "jpeg_film_behind", "png_cicp_srgb"),
}


@pytest.mark.parametrize("poison", GOOD, ids=lambda poison: poison.name)
def test_good_images_have_the_right_pixels(poison: Poison) -> None:
    decoded = decode(poison.data)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.ndim == 3
    assert decoded.pixels.shape[2] == 3
    if poison.pixels is not None:
        assert difference(decoded.pixels, poison.pixels) <= poison.within


@pytest.mark.parametrize("poison", BAD, ids=lambda poison: poison.name)
def test_bad_images_are_refused_with_their_reason(poison: Poison) -> None:
    with pytest.raises(BadImage) as caught:
        decode(poison.data)
    assert caught.value.reason == poison.reason
    assert caught.value.message


@pytest.mark.parametrize("poison", GOOD, ids=lambda poison: poison.name)
def test_faithful_means_a_plain_decoder_agrees(poison: Poison) -> None:
    decoded = decode(poison.data)
    assert decoded.faithful == (poison.name in FAITHFUL)
    if decoded.faithful:
        with Image.open(io.BytesIO(poison.data)) as plain:
            assert plain.format == decoded.format
            np.testing.assert_array_equal(np.asarray(plain.convert("RGB")), decoded.pixels)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_eight_orientations_are_one_image(kind: str) -> None:
    upright = [decode(case(f"{kind}_exif_{n}").data).pixels for n in range(1, 9)]
    for pixels in upright:
        assert difference(pixels, PHOTO) < 2
        assert pixels[0, 0].argmax() == 0  # red at the top left
        assert pixels[0, -1].argmax() == 1  # green at the top right


def test_an_image_opened_with_a_plugin_is_refused_where_it_is_hdr() -> None:
    with Image.open(io.BytesIO(case("heif_pq").data)) as image, pytest.raises(BadImage, match="PQ"):
        decode_opened(image)


@pytest.mark.parametrize("poison", GOOD, ids=lambda poison: poison.name)
def test_an_opened_image_is_decoded_as_its_file(poison: Poison) -> None:
    expected = decode(poison.data, smallest_side=8).pixels
    with Image.open(io.BytesIO(poison.data)) as image:
        size, mode = image.size, image.mode
        np.testing.assert_array_equal(decode_opened(image, smallest_side=8).pixels, expected)
        assert (image.size, image.mode) == (size, mode)
        np.testing.assert_array_equal(decode_opened(image, smallest_side=8).pixels, expected)


# What Pillow forgets of a file as it loads it: how many bits a transparent colour has, and which end of grey is white
FORGOTTEN = {"png_4_bit_colour_key", "tiff_16_white_is_zero"}
# And the numbers of its colours
FORGOTTEN |= {
    "bmp_alpha_left_empty",
    "avif_display_p3",
    "png_cicp_display_p3",
    "png_cicp_before_icc",
    "jpeg2000_icc_swapped",
    "bmp_icc_swapped",
}


@pytest.mark.parametrize("poison", GOOD, ids=lambda poison: poison.name)
def test_an_image_in_memory_is_converted_as_its_file_is(poison: Poison) -> None:
    with Image.open(io.BytesIO(poison.data)) as image:
        image.load()
        found = decode_opened(image)
    expected = decode(poison.data)
    if poison.name not in FORGOTTEN:
        assert (found.size, found.pixels.shape) == (expected.size, expected.pixels.shape)
        assert difference(found.pixels, expected.pixels) <= 1


def test_an_image_of_a_mode_that_is_not_read_is_refused() -> None:
    with pytest.raises(BadImage, match="an image with pixels of mode F"):
        decode_opened(Image.new("F", (4, 4)))


def test_the_whole_size_is_told_of_an_image_that_is_decoded_smaller() -> None:
    data = encode(photo(400, 640), "JPEG", exif=exif(6))
    decoded = decode(data, smallest_side=50)
    assert decoded.pixels.shape == (160, 100, 3)
    assert decoded.size == (400, 640)


def test_16_bit_grey_keeps_its_range() -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)[None]
    expected = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    np.testing.assert_array_equal(decode(png_of(ramp, 0)).pixels, expected)


def test_pillows_own_limit_does_not_cut_in() -> None:
    assert Image.MAX_IMAGE_PIXELS is None


@pytest.mark.parametrize(
    ("size", "smallest_side", "expected"),
    [((400, 640), 50, (100, 160)), ((400, 640), 51, (200, 320)), ((400, 640), 101, (400, 640)), ((64, 64), 1, (8, 8))],
)
def test_a_large_jpeg_is_decoded_smaller(size: tuple[int, int], smallest_side: int, expected: tuple[int, int]) -> None:
    data = encode(photo(*size), "JPEG", quality=95)
    full, small = decode(data), decode(data, smallest_side=smallest_side)
    assert small.pixels.shape[:2] == expected
    assert small.faithful == (expected == size)
    reduced = np.asarray(Image.fromarray(full.pixels).resize(expected[::-1], Image.Resampling.BOX))
    assert difference(small.pixels, reduced) < 2


def test_only_a_jpeg_is_decoded_smaller() -> None:
    assert decode(encode(photo(200, 200), "PNG"), smallest_side=10).pixels.shape == (200, 200, 3)


# --- Nothing but BadImage, and nothing global


WHOLE = [poison.data for poison in GOOD if len(poison.data) < 20_000]
thorough = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(st.binary(max_size=200), st.sampled_from([b"", *(data[:12] for data in CUT.values())]))
def test_noise_never_raises_anything_else(noise: bytes, start: bytes) -> None:
    reason_of(start + noise)


@thorough
@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)), min_size=1, max_size=5),
    st.booleans(),
)
def test_damage_never_raises_anything_else(data: bytes, damage: list[tuple[float, bytes]], near_start: bool) -> None:
    broken = bytearray(data)
    for where, new in damage:
        at = int(where * min(len(data), 400 if near_start else len(data)))
        broken[at : at + len(new)] = new
    reason_of(bytes(broken), max_pixels=2**20)


@thorough
@given(st.binary(max_size=120), st.sampled_from([b"", b"II*\0\x08\0\0\0\x03\0", b"MM\0*\0\0\0\x08\0\x03"]))
def test_any_broken_exif_is_ignored(noise: bytes, start: bytes) -> None:
    body = b"Exif\0\0" + start + noise
    for data in (with_segment(encode(PHOTO, "JPEG"), 0xE1, body), png_of(PHOTO, 2, chunk(b"eXIf", body))):
        assert decode(data).pixels.size == PHOTO.size


def test_warnings_as_errors_change_nothing() -> None:
    code = (
        "import sys, warnings; from face0.images.decoding import decode; n = len(warnings.filters);"
        "decode(sys.stdin.buffer.read()); assert len(warnings.filters) == n"
    )
    for name in ("jpeg_broken_mpo", "png_palette_shades", "jpeg_exif_loop"):
        run = subprocess.run([sys.executable, "-W", "error", "-c", code], input=case(name).data, capture_output=True)
        assert run.returncode == 0, run.stderr.decode()
        assert not run.stderr


def test_threads_do_not_disturb_each_other() -> None:
    def outcome(poison: Poison) -> object:
        try:
            return decode(poison.data).pixels.tobytes()
        except BadImage as bad:
            return bad.reason

    alone = [outcome(poison) for poison in CASES]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(outcome, CASES * 4))
    assert together == alone * 4


def test_grey_is_three_equal_channels() -> None:
    pixels = decode(encode(GREY, "JPEG")).pixels
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()
