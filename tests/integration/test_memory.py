"""Memory that decoding and reading take, by the peak of a process of its own: tracemalloc does not see Pillow's."""

import pickle
import subprocess
import sys
from dataclasses import dataclass

import pytest

from face0.images.decoding import BadImage, decode, memory_bound
from tests.fixtures.heavy import heavy_images, profiles
from tests.fixtures.poison import PHOTO, encode

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# Resets the peak before each image, and says by how much it rose and for how long it took.
MEASURE = """
import pickle, sys, time
from face0.images.decoding import BadImage, decode

def kilobytes(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

def measured(images):
    open("/proc/self/clear_refs", "w").write("5")
    before, start = kilobytes("VmRSS"), time.process_time()
    outcome = "ok"
    for data in images:
        try:
            decode(data)
        except BadImage as bad:
            outcome = str(bad.reason)
    return (kilobytes("VmHWM") - before) * 1024, time.process_time() - start, outcome

tasks = pickle.load(sys.stdin.buffer)
measured(tasks["warm"])
sys.stdout.buffer.write(pickle.dumps({name: measured(images) for name, images in tasks.items()}))
"""


@dataclass(frozen=True)
class Measured:
    size: int
    peak: int
    seconds: float
    outcome: str


@pytest.fixture(scope="module")
def measured() -> dict[str, Measured]:
    tasks = {"warm": [encode(PHOTO, kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF")]}
    tasks |= {name: [make()] for name, make in heavy_images().items()}
    tasks["profiles"] = [encode(PHOTO, "JPEG", icc_profile=profile) for profile in profiles(100, 2**20)]
    run = subprocess.run([sys.executable, "-c", MEASURE], input=pickle.dumps(tasks), capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    found = pickle.loads(run.stdout)
    return {name: Measured(max(map(len, tasks[name])), *found[name]) for name in tasks}


@pytest.mark.parametrize("name", [*heavy_images(), "profiles"])
def test_memory_and_time_are_bounded_by_the_file(measured, name):
    found = measured[name]
    assert found.size < 4 * 2**20
    assert found.peak < memory_bound(found.size, 2**26)
    if name != "profiles":
        assert found.seconds < 3


def test_what_is_beside_the_pixels_takes_no_more_than_the_file(measured):
    beside = ("shared", "claims", "texts", "comments", "many")
    names = [name for name in measured if any(part in name for part in beside)]
    assert len(names) == 9
    for name in names:
        assert measured[name].peak < 24 * 2**20 + 4 * measured[name].size, name


def test_transforms_of_many_profiles_are_not_kept(measured):
    assert measured["profiles"].peak < 64 * 2**20


def test_metadata_does_not_keep_an_image_from_being_decoded(measured):
    decoded = ("jpeg_shared_exif", "jpeg_profile_of_claims", "png_texts", "png_shared_exif", "gif_comments")
    assert {measured[name].outcome for name in decoded} == {"ok"}


def test_many_pixels_in_few_bytes_are_refused():
    for name in ("webp_huge_canvas", "tiff_huge"):
        with pytest.raises(BadImage) as caught:
            decode(heavy_images()[name]())
        assert caught.value.reason == "bomb"
