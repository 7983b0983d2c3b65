"""Images that are named by a URI, brought in: many at a time, in order, each within its limits."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, TypeVar

import aiohttp
from fsspec.implementations.http import HTTPFileSystem
from fsspec.implementations.local import LocalFileSystem

from face0.errors import StorageError
from face0.io.retries import is_passing
from face0.io.secrets import public
from face0.io.storage import filesystem, open_uri
from face0.readers.samples import Sample
from schemas.failures import Failure, Reason, Stage

_BACKOFF_SECONDS = 0.25  # before the first retry; doubled for every further one
_CHUNK_BYTES = 2**20

_Row = Sample | Failure
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """How images are fetched.

    Attributes:
        timeout: seconds that one request may take, from the connection to the last byte. For http(s); the file systems
            of other protocols have their own.
        retries: further tries after a time-out, a broken connection, or an answer of 408, 429 or 5xx.
        max_bytes: a file that is larger is a Failure, found out without reading the rest of it.
        concurrency: requests at a time. At most twice as many rows are held.
    """

    timeout: float = 30.0
    retries: int = 2
    max_bytes: int = 64 * 2**20
    concurrency: int = 16

    @property
    def longest(self) -> float:
        """Seconds that the image of one row may take, with all its tries."""
        return sum(self.timeout + _BACKOFF_SECONDS * 2**attempt for attempt in range(self.retries + 1))

    def fetch(self, rows: Iterable[T]) -> Iterator[T | Sample | Failure]:
        """Gives every Sample that has only a ``uri`` its ``data``, or makes it a Failure; all others pass through.

        The order is kept, and no row raises. To close the iterator early breaks off the requests under way.
        """
        waiting: deque[Future[T | Sample | Failure]] = deque()
        with _workers(self) as (pool, web, closing):
            for row in rows:
                if isinstance(row, Sample) and row.data is None and row.uri is not None:
                    waiting.append(pool.submit(self._fetch_row, row, row.uri, web, closing))
                else:
                    waiting.append(_done(row))
                while waiting and (len(waiting) >= 2 * self.concurrency or waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _fetch_row(self, row: Sample, uri: str, web: HTTPFileSystem, closing: threading.Event) -> _Row:
        """Fetches one image, retries included."""
        for attempt in range(self.retries + 1):
            try:
                return replace(row, data=_download(uri, web, self.max_bytes), uri=None)
            # Whatever a URI out of somebody's list brings about is the row's fault.
            except Exception as error:
                last = attempt == self.retries or not is_passing(error)
                # The wait ends at once when nobody waits for the row any more.
                if last or closing.wait(_BACKOFF_SECONDS * 2**attempt):
                    detail = f"{type(error).__name__}: {error}".removesuffix(": ")
                    return row.failure(Stage.FETCH, _reason(error), f"{public(uri)} was not fetched: {detail}")
        raise AssertionError("the last attempt returns")


def _done(row: T) -> Future[T]:
    """A row that needs no work, in the queue with those that do."""
    future: Future[T] = Future()
    future.set_result(row)
    return future


@contextmanager
def _workers(options: Fetcher) -> Iterator[tuple[ThreadPoolExecutor, HTTPFileSystem, threading.Event]]:
    """Threads, the web client they share, and the event that tells them to give up. All are gone when it ends."""
    closing = threading.Event()
    sessions: list[aiohttp.ClientSession] = []

    async def client(**kwargs: Any) -> aiohttp.ClientSession:
        # The number of connections is left to the pool: waiting for one would count as the server's time.
        sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), **kwargs))
        return sessions[-1]

    # fsspec's cache would hand the client on, whose session is closed here.
    web = HTTPFileSystem(
        client_kwargs={"timeout": aiohttp.ClientTimeout(total=options.timeout)},
        get_client=client,
        skip_instance_cache=True,
    )
    pool = ThreadPoolExecutor(options.concurrency, thread_name_prefix="fetch")
    try:
        yield pool, web, closing
    finally:
        closing.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for session in sessions:  # one, if there were requests; those that are under way end with an error
            web.close_session(web.loop, session)
        pool.shutdown(wait=True)


class _Refused(Exception):
    """An image that is not fetched, with the reason."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def _download(uri: str, web: HTTPFileSystem, max_bytes: int) -> bytes:
    """The content of a file. Raises _Refused for what is no file or too large, and whatever the file system raises."""
    # Not by way of fsspec's parsing of URLs, to which a "::" in a query is a chain of file systems.
    if uri.lower().startswith(("http://", "https://")):
        # block_size=0 streams; fsspec asks for the size by a request of its own unless it is given one.
        with web.open(uri, "rb", block_size=0, size=1) as file:
            return _read_capped(file, max_bytes)
    fs, path = filesystem(uri)
    if isinstance(fs, LocalFileSystem):
        _check_regular(fs, path)
    with open_uri(uri) as file:
        return _read_capped(file, max_bytes)


def _check_regular(fs: LocalFileSystem, path: str) -> None:
    """Raises for what is there and no file: a pipe would hang whoever opens it, a device might never end."""
    kind = fs.info(path)["type"]
    if kind == "directory":
        raise IsADirectoryError(f"{path} is a directory")
    # A link to a file is a "file" here.
    if kind != "file":
        raise _Refused(Reason.UNSUPPORTED, f"{path} is a pipe, a socket or a device")


def _read_capped(file: IO[bytes], max_bytes: int) -> bytes:
    chunks = []
    size = 0
    while chunk := file.read(min(_CHUNK_BYTES, max_bytes + 1 - size)):
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise _Refused(Reason.TOO_LARGE, f"it has more than {max_bytes} bytes")
    return b"".join(chunks)


def _reason(error: BaseException) -> Reason:
    if isinstance(error, StorageError) and error.__cause__ is not None:
        return _reason(error.__cause__)
    if isinstance(error, _Refused):
        return error.reason
    status = error.status if isinstance(error, aiohttp.ClientResponseError) else None
    if status in (404, 410) or isinstance(error, FileNotFoundError | NotADirectoryError):
        return Reason.FETCH_404
    if status in (401, 403) or isinstance(error, PermissionError):
        return Reason.FETCH_DENIED
    if status == 408 or isinstance(error, TimeoutError):
        return Reason.FETCH_TIMEOUT
    return Reason.FETCH_ERROR
