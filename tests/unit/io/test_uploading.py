"""Uploads come whole, and leave nothing where they are broken off."""

import asyncio
import os
import signal
import threading
import time
from types import SimpleNamespace

import boto3
import pytest
import s3fs

from face0.errors import StorageError
from face0.io import retries
from face0.io.folder import Folder
from face0.io.storage import HashingWriter, drop_partial, write_whole
from tests.fixtures.faults import FaultyFile, faulty, injected
from tests.fixtures.pictures import contents

LARGE = bytes(2**20) * 110  # s3fs sends it in parts


def begun() -> list[dict]:
    return boto3.client("s3").list_multipart_uploads(Bucket="face0").get("Uploads", [])


def write(root: str, data: bytes) -> None:
    with write_whole(root, "a.bin") as file:
        file.write(data)


@pytest.mark.parametrize("operation", ["upload_part", "complete_multipart_upload"])
def test_an_upload_in_parts_that_fails_is_aborted(bucket, monkeypatch, operation):
    call, failed = s3fs.S3FileSystem._call_s3, []

    async def failing(self, method, *args, **options):
        if method == operation:
            failed.append(method)
            raise OSError("the store is down")
        return await call(self, method, *args, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", failing)
    monkeypatch.setattr(retries, "POLICY", retries.Retries(tries=2, first=0.01))
    with pytest.raises(StorageError, match=r"writing s3://face0/failing/a\.bin failed 2 times"):
        write(f"{bucket}/failing", LARGE)
    assert failed
    assert not begun()
    assert contents(f"{bucket}/failing") == {}


class Stop(BaseException):
    """Raised by a signal's handler, as jobs do."""


def test_an_upload_in_parts_that_is_interrupted_is_aborted(bucket, monkeypatch):
    call, sending = s3fs.S3FileSystem._call_s3, threading.Event()

    async def slow(self, method, *args, **options):
        if method == "upload_part":
            sending.set()
            await asyncio.sleep(5)
        return await call(self, method, *args, **options)

    def stop(*_: object) -> None:
        raise Stop

    def interrupt() -> None:
        sending.wait(30)
        os.kill(os.getpid(), signal.SIGUSR1)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", slow)
    before = signal.signal(signal.SIGUSR1, stop)
    try:
        thread = threading.Thread(target=interrupt)
        thread.start()
        began = time.monotonic()
        with pytest.raises(Stop):
            write(f"{bucket}/interrupted", LARGE)
        assert time.monotonic() - began < 4
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert sending.is_set()
    assert not begun()
    time.sleep(0.5)
    assert not begun()
    assert contents(f"{bucket}/interrupted") == {}


def test_uploads_of_writers_that_were_killed_are_aborted_and_no_others(bucket):
    client = boto3.client("s3")
    for key in ("left/out/shards/a.parquet", "left/out/b.bin", "left/other/c.bin", "left/out.bin"):
        client.create_multipart_upload(Bucket="face0", Key=key)
    drop_partial(f"{bucket}/left/out")
    assert {upload["Key"] for upload in begun()} == {"left/other/c.bin", "left/out.bin"}
    drop_partial(f"{bucket}/left")
    assert not begun()


def test_a_file_that_came_short_is_sent_again(tmp_path):
    data = os.urandom(100_000)
    for seed in range(10):
        with injected(rate=0.05, short_writes=0.2, seed=seed):
            write(faulty(tmp_path), data)
        assert (tmp_path / "a.bin").read_bytes() == data


def test_a_file_that_always_comes_short_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(FaultyFile, "write", lambda self, data: self._file.write(data[: len(data) // 2]) and None)
    with injected(), pytest.raises(StorageError, match=r"50,000 of 100,000 bytes came there"):
        write(faulty(tmp_path), os.urandom(100_000))


def test_a_local_file_that_comes_short_is_an_error(tmp_path):
    with pytest.raises(StorageError, match="only 2 of 4 bytes were taken"):
        HashingWriter(SimpleNamespace(write=lambda data: len(data) // 2)).write(b"1234")


def test_a_folder_is_put_and_fetched_through_errors(tmp_path):
    for i in range(8):
        path = tmp_path / "model" / f"part{i}" / "weights.bin"
        path.parent.mkdir(parents=True)
        path.write_bytes(os.urandom(10_000 * i))
    there = Folder(faulty(tmp_path / "there"))
    with injected(rate=0.1, short=0.2, short_writes=0.1) as state:
        there.put(tmp_path / "model", "step-1")
        with there.folder("step-1").local() as copy:
            assert contents(copy) == contents(tmp_path / "model")
        there.remove_folder("step-1")
    assert sum(state.failed.values()) > 5
    assert contents(tmp_path / "there") == {}
