"""Memory that decoding and reading take, by the peak of a process of its own: tracemalloc does not see Pillow's."""

import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from face0.images.decoding import BadImage, decode, memory_bound
from face0.readers.bounds import READER_BYTES
from tests.fixtures.heavy import (
    PHOTOGRAPH,
    heavy_images,
    heavy_lists,
    heavy_parquets,
    heavy_tars,
    member,
    profiles,
    write_heavy_inputs,
)
from tests.fixtures.poison import PHOTO, encode

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# Resets the peak before each task, and says by how much it rose, for how long it took, and what came out.
MEASURE = """
import pickle, sys, time
from face0.errors import UsageError
from face0.images.decoding import BadImage, decode
from face0.readers import planning
from face0.readers.samples import Columns
from schemas.failures import Failure

def kilobytes(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

def decoded(images):
    for data in images:
        try:
            decode(data)
            yield "ok"
        except BadImage as bad:
            yield str(bad.reason)

def rows(path):
    try:
        for split in planning.plan([path], Columns(), 100_000):
            for row in planning.read(split, Columns()):
                yield str(row.reason) if isinstance(row, Failure) else "ok"
    except UsageError:
        yield "usage"

def measured(task):
    open("/proc/self/clear_refs", "w").write("5")
    before, start = kilobytes("VmRSS"), time.process_time()
    outcomes = {}
    for outcome in rows(task) if isinstance(task, str) else decoded(task):
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return (kilobytes("VmHWM") - before) * 1024, time.process_time() - start, outcomes

tasks = pickle.load(sys.stdin.buffer)
measured(tasks["warm"])
sys.stdout.buffer.write(pickle.dumps({name: measured(task) for name, task in tasks.items()}))
"""


@dataclass(frozen=True)
class Measured:
    size: int
    peak: int
    seconds: float
    outcomes: dict[str, int]


def measure(tasks: dict[str, str | list[bytes]]) -> dict[str, Measured]:
    run = subprocess.run([sys.executable, "-c", MEASURE], input=pickle.dumps(tasks), capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    found = pickle.loads(run.stdout)
    sizes = {
        name: Path(task).stat().st_size if isinstance(task, str) else max(map(len, task))
        for name, task in tasks.items()
    }
    return {name: Measured(sizes[name], *found[name]) for name in tasks}


@pytest.fixture(scope="module")
def measured() -> dict[str, Measured]:
    tasks: dict[str, str | list[bytes]] = {
        "warm": [
            encode(PHOTO, kind)
            for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF", "JXL", "JPEG2000", "BMP")
        ]
    }
    tasks |= {name: [make()] for name, make in heavy_images().items()}
    tasks["profiles"] = [encode(PHOTO, "JPEG", icc_profile=profile) for profile in profiles(100, 2**20)]
    return measure(tasks)


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
    assert [measured[name].outcomes for name in decoded] == [{"ok": 1}] * len(decoded)


def test_many_pixels_in_few_bytes_are_refused():
    for name in ("webp_huge_canvas", "tiff_huge"):
        with pytest.raises(BadImage) as caught:
            decode(heavy_images()[name]())
        assert caught.value.reason == "bomb"


INPUTS = [*heavy_tars(), *heavy_parquets(), *heavy_lists()]


@pytest.fixture(scope="module")
def read(tmp_path_factory) -> dict[str, Measured]:
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "warm.tar").write_bytes(member("a.jpg", PHOTOGRAPH) + bytes(1024))
    paths = {"warm": folder / "warm.tar", **write_heavy_inputs(folder)}
    return measure({name: str(path) for name, path in paths.items()})


@pytest.mark.parametrize("name", INPUTS)
def test_memory_and_time_of_readers_are_bounded(read, name):
    found = read[name]
    assert found.peak < READER_BYTES
    assert found.seconds < 10


@pytest.mark.parametrize("name", heavy_tars())
def test_rows_before_what_is_refused_come_out(read, name):
    assert read[name].outcomes["ok"] >= 1
    assert name == "caption.tar" or read[name].outcomes["unreadable_input"] == 1


@pytest.mark.parametrize("name", ["line.jsonl", "long_line.jsonl", "numbers.jsonl"])
def test_rows_behind_a_record_that_is_refused_come_out(read, name):
    assert read[name].outcomes == {"ok": 2, "malformed": 1}


def test_small_values_that_many_rows_share_are_read(read):
    for name in ("dictionary_of_captions.parquet", "dictionary_of_uris.parquet"):
        assert read[name].outcomes == {"ok": 200}
    assert read["list_beside.parquet"].outcomes == {"ok": 8}
