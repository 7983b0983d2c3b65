"""Whole files to file systems that are not local, without remains of what was broken off."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import fsspec
from fsspec import AbstractFileSystem

from face0.errors import StorageError
from face0.io.retries import ANSWERS, retried

_PART_BYTES = 2**26

logger = logging.getLogger(__name__)


def upload(fs: fsspec.AbstractFileSystem, local: str, path: str, uri: str, size: int) -> None:
    """Uploads a local file, and looks whether all of it came there.

    Args:
        fs: where to.
        local: path of the file.
        path: on the file system.
        uri: for messages.
        size: bytes of the file.

    Raises:
        StorageError: see ``face0.io.retries``; or there are fewer bytes than were sent, again and again.
    """

    def attempt() -> None:
        _put(fs, local, path)
        fs.invalidate_cache(path)
        arrived = fs.info(path).get("size")
        if arrived is not None and arrived != size:
            raise OSError(f"{arrived:,} of {size:,} bytes came there")

    try:
        retried(f"writing {uri}", attempt)
    except ANSWERS as error:  # whose messages, of some stores, name no file
        raise StorageError(f"writing {uri} failed: {type(error).__name__}: {error}") from error


def _put(fs: Any, local: str, path: str) -> None:
    if not hasattr(fs, "list_multipart_uploads"):
        if type(fs).put_file is AbstractFileSystem.put_file:
            _write(fs, local, path)
        else:
            fs.put_file(local, path)
        return
    # By fsspec's own way of waiting, what an interrupt breaks off would go on in its thread.
    sending = asyncio.run_coroutine_threadsafe(fs._put_file(local, path), fs.loop)
    try:
        sending.result()
    except BaseException:  # SystemExit of a signal among them
        sending.cancel()
        abort_uploads(fs, path)
        raise


def _write(fs: fsspec.AbstractFileSystem, local: str, path: str) -> None:
    """Writes a file through fsspec's open: in few calls, each of which may fail, and on from where one came short."""
    fs.makedirs(path.rpartition("/")[0] or "/", exist_ok=True)
    with Path(local).open("rb") as source, fs.open(path, "wb") as out:
        while data := source.read(_PART_BYTES):
            view = memoryview(data)
            while view:
                taken = out.write(view)
                if taken == 0:
                    raise OSError("no bytes were taken")
                view = view[len(view) if taken is None else taken :]


def abort_uploads(fs: Any, path: str) -> None:
    """Ends uploads in parts of a file, or of all that is below a folder if the path ends with a slash.

    S3 keeps the parts, which no listing shows, and charges for them. Other stores forget them, and nothing is done.
    """
    if not hasattr(fs, "list_multipart_uploads"):
        return
    bucket, key, _ = fs.split_path(path)
    try:
        pages = True
        while pages:
            answer = fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key)
            for begun in answer.get("Uploads", []):
                if begun["Key"] == key or path.endswith("/"):
                    fs.call_s3("abort_multipart_upload", Bucket=bucket, Key=begun["Key"], UploadId=begun["UploadId"])
            pages = bool(answer.get("IsTruncated")) and path.endswith("/")
    except Exception as error:  # the error of the upload is the one to tell
        logger.warning("parts of s3://%s may be left of an upload, and be charged for: %s", path, error)
