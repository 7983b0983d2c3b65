"""Mutated files of every format: what comes out is pixels, rows or failures, in bounded time and memory.

``make fuzz SECONDS=600`` looks for that long, by default a minute. A file that breaks a bound is printed.
"""

import bz2
import contextlib
import faulthandler
import gzip
import io
import json
import lzma
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from face0.errors import UsageError
from face0.images.decoding import BadImage, DecodedImage, decode, memory_bound
from face0.images.headers import sniff
from face0.readers import planning
from face0.readers.bounds import READER_BYTES
from face0.readers.samples import Columns, Sample
from schemas.failures import Failure, Reason
from tests.fixtures.heavy import GOOD_ROW, PHOTOGRAPH, TAR_END, attributes, heavy_tars, member, shared_tags
from tests.fixtures.inputs import tar_bytes
from tests.fixtures.poison import (
    CASES,
    PHOTO,
    encode,
    exif,
    linear_grey_profile,
    odd_ink_profile,
    swapped_profile,
    with_segment,
)
from tests.fuzz.mutations import mutated, repair_png, repair_tar

pytestmark = pytest.mark.fuzz

SECONDS = float(os.environ.get("FACE0_FUZZ_SECONDS", "60"))
MAX_SECONDS = 5.0  # of CPU for one file: they are small
STUCK_SECONDS = 120  # by the clock: the process ends with a traceback
MAX_PIXELS = 2**22


class Watch:
    """Bounds of what happens in a block, on this thread."""

    def __init__(self, memory: int) -> None:
        self.memory = memory

    def __enter__(self) -> None:
        faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
        self.before = kilobytes("VmRSS", reset=True)
        self.start = time.thread_time()

    def __exit__(self, *_: object) -> None:
        seconds = time.thread_time() - self.start
        rose = (kilobytes("VmHWM") - self.before) * 1024
        faulthandler.cancel_dump_traceback_later()
        assert seconds < MAX_SECONDS, f"{seconds:.1f} s of CPU"
        assert rose < self.memory, f"{rose:,} bytes of memory; the bound is {self.memory:,}"


def kilobytes(name: str, reset: bool = False) -> int:
    """What /proc says of this process's memory; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if name in line)


def check_decode(data: bytes) -> None:
    with Watch(memory_bound(len(data), MAX_PIXELS)):
        outcome = decoded_or_bad(data)
    if isinstance(outcome, BadImage):
        assert outcome.reason in list(Reason)
        assert outcome.message
    else:
        check_pixels(outcome)


def decoded_or_bad(data: bytes) -> DecodedImage | BadImage:
    try:
        return decode(data, max_pixels=MAX_PIXELS)
    except BadImage as bad:
        return bad


def check_pixels(decoded: DecodedImage) -> None:
    height, width = decoded.pixels.shape[:2]
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.shape == (height, width, 3)
    assert 0 < height * width <= MAX_PIXELS
    assert decoded.size == (width, height)


def check_read(path: Path) -> None:
    """Plans and reads an input in two ways: in one task, and in small ones."""
    for rows_per_task in (1000, 2):
        with Watch(READER_BYTES):
            for row in rows(str(path), rows_per_task):
                assert isinstance(row, Sample | Failure)
                assert row.source.encode()
                assert isinstance(row.key.encode(), bytes)  # it can be stored
                if isinstance(row, Failure):
                    assert row.message


def rows(uri: str, rows_per_task: int) -> Iterator[Sample | Failure]:
    # The one error that a user sees as a line.
    with contextlib.suppress(UsageError):
        for split in planning.plan([uri], Columns(), rows_per_task):
            yield from planning.read(split, Columns())


# --- What is mutated


def seeds_of(name: str) -> list[bytes]:
    return [case.data for case in CASES if case.reason is None and len(case.data) < 20_000 and sniff(case.data) == name]


def parquet(table: pa.Table, **options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=4, **options)
    return buffer.getvalue()


TABLE = pa.table(
    {
        "key": [f"k{i}" for i in range(10)],
        "image": [PHOTOGRAPH] * 10,
        "caption": [f"a photograph of {i}" for i in range(10)],
    }
)
STRUCTS = pa.array([{"bytes": PHOTOGRAPH, "path": None}, {"bytes": None, "path": "a.jpg"}] * 5)
LIST = pa.table({"url": [f"images/{i}.jpg" for i in range(10)], "caption": [f"a {i}" for i in range(10)]})
PARQUETS = [
    parquet(TABLE),
    parquet(TABLE, use_dictionary=False, compression="gzip", data_page_version="2.0"),
    parquet(TABLE, use_dictionary=False, column_encoding={"image": "PLAIN", "key": "DELTA_BYTE_ARRAY"}),
    parquet(TABLE.set_column(1, "image", STRUCTS), compression="zstd"),
    parquet(LIST),
]
MEMBERS = [
    ("a.jpg", PHOTOGRAPH),
    ("a.txt", b"a caption"),
    ("b/c.png", encode(PHOTO, "PNG")),
    ("b/c.json", b'{"text": "c"}'),
]
TARS = [
    GOOD_ROW + TAR_END,
    tar_bytes(MEMBERS),
    tar_bytes([("l" * 200 + ".jpg", b"1"), ("l" * 200 + ".txt", b"2")]),
    member("x", attributes({"path": "p.jpg", "size": "3"}), b"x") + member("short", b"abc") + TAR_END,
    member("g", attributes({"comment": "g"}), b"g") + GOOD_ROW + TAR_END,
    *(heavy_tars()[name]() for name in ("claims.tar", "claims_unread.tar", "attributes_claim.tar", "holes.tar")),
]
CSV = b'url,caption,key\na.jpg,"two\nlines",k1\nb.jpg,plain,k2\n"c.jpg","quote "" in it",k3\n'
RECORDS = [{"url": f"{i}.jpg", "caption": f"a {i}", "id": i, "more": [1, {"a": None}]} for i in range(6)]
JSONL = "".join(json.dumps(record) + "\n" for record in RECORDS).encode()
PROFILES = [swapped_profile(), odd_ink_profile(), linear_grey_profile()]
EXIFS = [exif(6), b"Exif\0\0" + shared_tags(20, 100), b"Exif\0\0" + exif(3)[6:].replace(b"MM", b"II")]


def jpeg_of_exif(data: bytes) -> bytes:
    return with_segment(PHOTOGRAPH, 0xE1, data[:60_000])


def jpeg_of_profile(data: bytes) -> bytes:
    return encode(Image.fromarray(PHOTO), "JPEG", icc_profile=struct.pack(">I", len(data)) + data[4:])


IMAGES: dict[str, st.SearchStrategy[bytes]] = {
    "jpeg": mutated(seeds_of("JPEG")),
    "png": mutated(seeds_of("PNG"), repair_png),
    "webp": mutated(seeds_of("WEBP")),
    "gif": mutated(seeds_of("GIF")),
    "tiff": mutated(seeds_of("TIFF")),
    "avif": mutated(seeds_of("AVIF")),
    "heic": mutated(seeds_of("HEIC")),
    "jpeg_xl": mutated(seeds_of("JPEG XL")),
    "jpeg_2000": mutated(seeds_of("JPEG 2000")),
    "bmp": mutated(seeds_of("BMP")),
    "exif": mutated(EXIFS).map(jpeg_of_exif),
    "profile": mutated(PROFILES).map(jpeg_of_profile),
}
FILES: dict[str, st.SearchStrategy[bytes]] = {
    "a.tar": mutated(TARS, repair_tar),
    "a.tar.gz": mutated([gzip.compress(tar) for tar in TARS]) | mutated(TARS, repair_tar).map(gzip.compress),
    "a.tar.bz2": mutated([bz2.compress(tar) for tar in TARS]) | mutated(TARS, repair_tar).map(bz2.compress),
    "a.tar.xz": mutated([lzma.compress(tar) for tar in TARS]),
    "a.parquet": mutated(PARQUETS),
    "a.csv": mutated([CSV]),
    "a.tsv": mutated([CSV.replace(b",", b"\t")]),
    "a.jsonl": mutated([JSONL]),
    "images/metadata.csv": mutated([CSV.replace(b"url", b"file_name")]),
    "images/metadata.jsonl": mutated([JSONL.replace(b"url", b"file_name")]),
    "images/metadata.parquet": mutated([parquet(LIST.rename_columns(["file_name", "text"]))]),
    "images/a.json": mutated([b'{"caption": "a", "more": [1, 2, {"b": null}]}']),
}


def search(strategy: st.SearchStrategy[bytes], check: Callable[[bytes], None]) -> int:
    """Tries files for this target's share of the time; returns how many there were."""
    count = 0

    def attempt(data: bytes) -> None:
        nonlocal count
        count += 1
        check(data)

    options = settings(
        max_examples=50,
        deadline=None,
        database=None,
        phases=(Phase.generate,),  # to shrink a file that takes minutes would take hours
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    end = time.monotonic() + SECONDS / (len(IMAGES) + len(FILES))
    while time.monotonic() < end:
        options(given(strategy)(attempt))()
    return count


@pytest.mark.parametrize("name", IMAGES)
def test_images(name: str, record_property: Callable[[str, object], None]) -> None:
    for seed in (PHOTOGRAPH, encode(PHOTO, "HEIF"), encode(PHOTO, "JXL"), encode(PHOTO, "AVIF")):
        decode(seed)  # what is loaded at first use is no file's fault
    record_property("files", search(IMAGES[name], check_decode))


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if path.parent != tmp_path:
        (path.parent / "a.jpg").write_bytes(PHOTOGRAPH)
    source = path if path.parent == tmp_path else path.parent

    def check(data: bytes) -> None:
        path.write_bytes(data)
        check_read(source)

    record_property("files", search(FILES[name], check))
