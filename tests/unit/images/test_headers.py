"""What first bytes say: formats that are refused by name, images cut short, and limits."""

import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from face0.images.decoding import BadImage, decode
from schemas.failures import Reason
from tests.fixtures.pixels import CUT, reason_of
from tests.fixtures.poison import PHOTO, bomb, case, encode, sized, webp_canvas


@pytest.mark.parametrize("name", ["html", "svg", "pdf", "json", "ico", "psd"])
def test_the_message_says_what_it_is(name: str) -> None:
    with pytest.raises(BadImage, match=f"(?i){name}"):
        decode(case(name).data)


def test_a_bad_image_crosses_processes() -> None:
    bad = pickle.loads(pickle.dumps(BadImage(Reason.BOMB, "too many pixels")))
    assert (bad.reason, bad.message, str(bad)) == (Reason.BOMB, "too many pixels", "bomb: too many pixels")


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


HUGE = {
    "png": bomb(),
    "jpeg": sized(encode(PHOTO, "JPEG"), 30_000, 30_000),
    "gif": case("gif_huge_frame").data,
    "gif_hidden": case("gif_huge_hidden_frame").data,
    "webp": webp_canvas(2**13, 2**14),
    **{name: case(f"{name}_huge").data for name in ("avif", "heif", "jxl", "jpeg2000", "bmp")},
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
