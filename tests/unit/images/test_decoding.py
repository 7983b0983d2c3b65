import io
import pickle
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from face0.images.decoding import BadImage, decode
from face0.images.training_image import to_training_image
from schemas.failures import Reason
from tests.fixtures.poison import (
    CASES,
    GREY,
    PHOTO,
    Poison,
    bomb,
    case,
    chunk,
    encode,
    exif,
    photo,
    png_of,
    sized,
    webp_canvas,
    with_segment,
)

# Pytest resets the filter that face0.images sets at import.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

GOOD = [poison for poison in CASES if poison.reason is None]
BAD = [poison for poison in CASES if poison.reason is not None]
# Every pixel as it is in the file, and nothing that a plain decoder could see differently.
FAITHFUL = {
    *("jpeg", "jpeg_progressive", "jpeg_grey", "png", "png_grey", "webp", "webp_lossless", "tiff", "tiff_lzw"),
    *("tiff_big", "png_named_jpg", "no_ending", "jpeg_exif_1", "png_exif_1", "webp_exif_1", "tiff_exif_1"),
    *("jpeg_exif_unknown", "jpeg_exif_short", "jpeg_exif_noise", "jpeg_exif_loop", "jpeg_thumbnail", "jpeg_icc_srgb"),
    *("png_grey_icc_rgb", "png_icc_broken", "png_icc_other_space", "jpeg_icc_lab", "jpeg_junk_after"),
    *("jpeg_noise_in_scan", "one_pixel"),
}


def difference(a: np.ndarray, b: np.ndarray) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def reason_of(data: bytes, **options: int) -> Reason | None:
    try:
        decode(data, **options)
    except BadImage as bad:
        return bad.reason
    return None


# --- Every kind of image


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


@pytest.mark.parametrize("name", ["html", "svg", "pdf", "json", "bmp", "heic", "avif"])
def test_the_message_says_what_it_is(name: str) -> None:
    with pytest.raises(BadImage, match=f"(?i){name}"):
        decode(case(name).data)


def test_16_bit_grey_keeps_its_range() -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)[None]
    expected = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    np.testing.assert_array_equal(decode(png_of(ramp, 0)).pixels, expected)


def test_a_bad_image_crosses_processes() -> None:
    bad = pickle.loads(pickle.dumps(BadImage(Reason.BOMB, "too many pixels")))
    assert (bad.reason, bad.message, str(bad)) == (Reason.BOMB, "too many pixels", "bomb: too many pixels")


# --- Cut short


CUT = {
    "jpeg": encode(PHOTO, "JPEG"),
    "jpeg_progressive": encode(PHOTO, "JPEG", progressive=True),
    "jpeg_thumbnail": case("jpeg_thumbnail").data,
    "jpeg_icc": encode(PHOTO, "JPEG", icc_profile=bytes(300), exif=b"Exif\0\0" + bytes(100)),
    "jpeg_cmyk": case("jpeg_cmyk_60").data,
    "png": encode(PHOTO, "PNG"),
    "png_rgba": case("png_rgba").data,
    "webp": encode(PHOTO, "WEBP"),
    "webp_lossless": encode(PHOTO, "WEBP", lossless=True),
    "webp_rgba": case("webp_rgba").data,
    "tiff": encode(PHOTO, "TIFF"),
    "tiff_lzw": encode(PHOTO, "TIFF", compression="tiff_lzw"),
    "tiff_jpeg": encode(PHOTO, "TIFF", compression="jpeg"),
    "tiff_big": encode(PHOTO, "TIFF", big_tiff=True),
    "tiff_16_grey": case("tiff_16_grey").data,
}


@pytest.mark.parametrize("name", CUT)
def test_cut_at_any_byte_is_truncated(name: str) -> None:
    data = CUT[name]
    assert reason_of(data) is None
    wrong = {n: reason for n in range(1, len(data)) if (reason := reason_of(data[:n])) != Reason.TRUNCATED}
    assert not wrong


def test_a_gif_is_cut_until_its_first_frame_is_whole() -> None:
    data = case("gif_animated").data
    reasons = [reason_of(data[:n]) for n in range(1, len(data) + 1)]
    whole = reasons.index(None)
    assert set(reasons[:whole]) == {Reason.TRUNCATED}
    assert set(reasons[whole:]) == {None}
    assert 0.3 < whole / len(data) < 0.7


# --- Limits


def peak_of(data: bytes, **options: int) -> int:
    """Bytes that Python and numpy held at most."""
    tracemalloc.start()
    try:
        reason_of(data, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_limits_depend_on_pixels_and_bytes() -> None:
    flat = encode(np.zeros((100, 100, 3), np.uint8), "PNG")
    noise = encode(np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8), "PNG")
    assert reason_of(flat, max_pixels=10_000) is None
    assert reason_of(flat, max_pixels=9_999) == Reason.BOMB
    assert reason_of(noise, max_pixels=9_999) == Reason.TOO_LARGE


def test_pillows_own_limit_does_not_cut_in() -> None:
    assert Image.MAX_IMAGE_PIXELS is None


HUGE = {
    "png": bomb(),
    "jpeg": sized(encode(PHOTO, "JPEG"), 30_000, 30_000),
    "gif": case("gif_huge_frame").data,
    "gif_hidden": case("gif_huge_hidden_frame").data,
    "webp": webp_canvas(2**13, 2**14),
}
CONFINED = """
import resource, sys
from face0.images.decoding import BadImage, decode
data = sys.stdin.buffer.read()
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 2**25, taken + 2**25))
try:
    decode(data)
except BadImage as bad:
    print(bad.reason)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and needs a limit that is kept")
@pytest.mark.parametrize("kind", HUGE)
def test_a_bomb_takes_no_memory(kind: str) -> None:
    """In a process that may take 32 MB more: tracemalloc does not see Pillow's own memory."""
    run = subprocess.run([sys.executable, "-c", CONFINED], input=HUGE[kind], capture_output=True)
    assert run.stdout.decode().strip() == Reason.BOMB, run.stderr.decode()
    assert peak_of(HUGE[kind]) < 2**20


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


# --- Training images


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


def test_grey_is_three_equal_channels() -> None:
    pixels = decode(encode(GREY, "JPEG")).pixels
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()
