"""A file is read to its end, whatever passes in between."""

import io
import os
import random
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import StorageError
from face0.io.storage import open_uri
from tests.fixtures.faults import faulty, injected

DATA = random.Random(0).randbytes(300_000)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    (tmp_path / "a.bin").write_bytes(DATA)
    return faulty(tmp_path / "a.bin")


@pytest.mark.parametrize("size", [-1, 1000, 7919, 400_000])
def test_errors_and_short_reads_are_not_seen(uri, size):
    with injected(rate=0.05, short=0.2) as state, open_uri(uri) as file:
        parts = list(iter(lambda: file.read(size), b""))
        assert b"".join(parts) == DATA
        assert all(len(part) == size for part in parts[:-1])
        assert file.tell() == len(DATA)
    assert size not in (1000, 7919) or (state.failed["short"] and state.failed["read"])


def test_any_way_of_reading_sees_the_same(uri):
    chance = random.Random(1)
    with injected(rate=0.1, short=0.1), open_uri(uri) as file:
        for _ in range(300):
            start, size = chance.randrange(len(DATA)), chance.randrange(3000)
            assert file.seek(start) == start
            assert file.read(size) == DATA[start : start + size]
        assert file.seek(-10, os.SEEK_END) == len(DATA) - 10
        assert file.seek(-10, os.SEEK_CUR) == len(DATA) - 20
        buffer = bytearray(30)
        assert file.readinto(buffer) == 20
        assert bytes(buffer[:20]) == DATA[-20:]
        file.seek(0)
        assert io.BufferedReader(file).read() == DATA


def test_parquet_is_read_through_errors(tmp_path):
    table = pa.table({"a": range(20_000)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=500)
    with injected(rate=0.1, short=0.2) as state, open_uri(faulty(tmp_path / "a.parquet")) as file:
        parquet = pq.ParquetFile(file)
        assert pa.concat_tables(map(parquet.read_row_group, range(parquet.num_row_groups))) == table
    assert state.failed["read"]
    assert state.failed["short"]


def test_a_file_that_ends_before_its_size_is_an_error_and_not_the_end(uri):
    with injected(short=1.0), pytest.raises(StorageError, match=r"a\.bin failed 10 times .* broke off at byte"):
        open_uri(uri).read()


def test_an_error_that_does_not_pass_is_raised_with_the_name(uri):
    with injected(always=("read",)), pytest.raises(StorageError, match=r"reading faulty://.*a\.bin failed 10 times"):
        open_uri(uri).read()
    with injected(), pytest.raises(FileNotFoundError):
        open_uri(uri + ".none")


def test_a_file_that_has_another_size_when_it_is_opened_anew_is_not_read_on(uri, tmp_path):
    with injected(nth={"read": (2,)}), open_uri(uri) as file:
        assert file.read(10) == DATA[:10]
        (tmp_path / "a.bin").write_bytes(DATA * 2)
        with pytest.raises(StorageError, match="has changed while it was read"):
            file.read(10)


class _Site(BaseHTTPRequestHandler):
    """Breaks off in the midst of every other body, and knows ranges or does not."""

    ranges = True
    sized = True
    answers = 0

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        cls = type(self)
        start, stop = 0, len(DATA)
        asked = self.headers.get("Range")
        if asked and cls.ranges:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(int(last) + 1, len(DATA))
        self.send_response(206 if asked and cls.ranges else 200)
        if cls.sized:
            self.send_header("Content-Length", str(stop - start))
        if asked and cls.ranges:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(DATA)}")
        self.send_header("Connection", "close")
        self.end_headers()
        if body:
            cls.answers += 1
            broken = cls.sized and cls.answers % 2
            self.wfile.write(DATA[start : start + (stop - start) // 2 if broken else stop])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/a.bin"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("ranges", "sized"), [(True, True), (False, True), (False, False)])
def test_a_web_server_that_breaks_off_is_asked_again(site, monkeypatch, ranges, sized):
    monkeypatch.setattr(_Site, "ranges", ranges)
    monkeypatch.setattr(_Site, "sized", sized)
    with injected(), open_uri(site) as file:
        assert b"".join(iter(lambda: file.read(50_000), b"")) == DATA
        file.seek(1000)
        assert file.read(5) == DATA[1000:1005]
