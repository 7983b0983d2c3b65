"""Images that are named by a URI, brought in: many at a time, in order, each within its limits."""

import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import IO, TypeVar

import aiohttp
from fsspec.implementations.data import DataFileSystem

from face0.errors import StorageError, UsageError
from face0.io.retries import is_passing
from face0.io.secrets import public
from face0.readers.access import NOTHING_MORE, Access, NoFile, NotAllowed, is_web, named_loopback, origin
from face0.readers.addresses import Addresses
from face0.readers.samples import Sample
from face0.readers.web import USER_AGENT, OptedOut, TooLarge, WebClient
from schemas.failures import Failure, Reason, Stage

_BACKOFF_SECONDS = 0.25  # before the first retry; doubled for every further one
_CHUNK_BYTES = 2**20
MAX_RETRY_AFTER = 60.0  # seconds that one image waits for at a server's word, in all

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
        access: what may be read, beside public web addresses and what lies below a row's own folder.
        user_agent: who is asking, as web servers are told.
        obeys_robots_tag: whether images are left out whose server says ``X-Robots-Tag: noai`` or ``noimageai``.
    """

    timeout: float = 30.0
    retries: int = 2
    max_bytes: int = 64 * 2**20
    concurrency: int = 16
    access: Access = NOTHING_MORE
    user_agent: str = USER_AGENT
    obeys_robots_tag: bool = True

    @property
    def longest(self) -> float:
        """Seconds that the image of one row may take, with all its tries."""
        tries = sum(self.timeout + _BACKOFF_SECONDS * 2**attempt for attempt in range(self.retries + 1))
        return tries + (MAX_RETRY_AFTER if self.retries else 0)

    def fetch(self, rows: Iterable[T]) -> Iterator[T | Sample | Failure]:
        """Gives every Sample that has only a ``uri`` its ``data``, or makes it a Failure; all others pass through.

        The order is kept, and no row raises. To close the iterator early breaks off the requests under way.
        """
        waiting: deque[Future[T | Sample | Failure]] = deque()
        with _workers(self) as (pool, web, closing, addresses):
            for row in rows:
                if isinstance(row, Sample) and row.data is None and row.uri is not None:
                    if row.within is not None and is_web(row.within):
                        addresses.add_origin(*origin(row.within))
                    waiting.append(pool.submit(self._fetch_row, row, row.uri, web, closing))
                else:
                    waiting.append(_done(row))
                while waiting and (len(waiting) >= 2 * self.concurrency or waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _fetch_row(self, row: Sample, uri: str, web: WebClient, closing: threading.Event) -> _Row:
        """Fetches one image, retries included."""
        waited = 0.0
        for attempt in range(self.retries + 1):
            try:
                return replace(row, data=self._download(uri, row.within, web), uri=None)
            # Whatever a URI out of somebody's list brings about is the row's fault.
            except Exception as error:
                asked = retry_after(error)
                waited += asked
                last = attempt == self.retries or not is_passing(error) or waited > MAX_RETRY_AFTER
                # The wait ends at once when nobody waits for the row any more.
                if last or closing.wait(max(asked, _BACKOFF_SECONDS * 2**attempt)):
                    detail = _detail(error)
                    if waited > MAX_RETRY_AFTER:
                        detail += f"; it asks to wait for {waited:.0f} s, and {MAX_RETRY_AFTER:.0f} s are waited for"
                    return row.failure(Stage.FETCH, _reason(error), f"{public(uri)} was not fetched: {detail}")
        raise AssertionError("the last attempt returns")

    def _download(self, uri: str, within: str | None, web: WebClient) -> bytes:
        """The content of a file. Raises NotAllowed, NoFile, TooLarge, OptedOut, and whatever the file system raises."""
        # None of these by way of fsspec's parsing of URLs, to which a "::" is a chain of file systems.
        if is_web(uri):
            return web.get(uri, self.max_bytes, named_loopback(uri, within))
        if uri.startswith("data:"):
            return _capped(DataFileSystem().cat_file(uri), self.max_bytes)
        with self.access.open(uri, within) as file:
            return _read_capped(file, self.max_bytes)


def retry_after(error: BaseException) -> float:
    """Seconds that a server asks to wait for before it is asked again, by its header Retry-After; 0: it does not."""
    headers = getattr(error, "headers", None) if isinstance(error, aiohttp.ClientResponseError) else None
    value = (headers or {}).get("Retry-After", "").strip()
    if (seconds := re.fullmatch(r"(\d{1,9})\d*(\.\d+)?", value)) is not None:
        return float(seconds[1] + (seconds[2] or ""))
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _done(row: T) -> Future[T]:
    """A row that needs no work, in the queue with those that do."""
    future: Future[T] = Future()
    future.set_result(row)
    return future


@contextmanager
def _workers(options: Fetcher) -> Iterator[tuple[ThreadPoolExecutor, WebClient, threading.Event, Addresses]]:
    """Threads, the web client they share, the event that tells them to give up, and the addresses they may go to.

    All are gone when it ends.
    """
    closing = threading.Event()
    allowed = options.access
    addresses = Addresses(
        hosts=allowed.hosts, networks=allowed.networks, every=not allowed.protocols.isdisjoint(("http", "https"))
    )
    pool = ThreadPoolExecutor(options.concurrency, thread_name_prefix="fetch")
    try:
        with WebClient(addresses, options.timeout, options.user_agent, options.obeys_robots_tag) as web:
            try:
                yield pool, web, closing, addresses
            finally:
                closing.set()
                pool.shutdown(wait=False, cancel_futures=True)
    finally:
        pool.shutdown(wait=True)


def _read_capped(file: IO[bytes], max_bytes: int) -> bytes:
    chunks = []
    size = 0
    while chunk := file.read(min(_CHUNK_BYTES, max_bytes + 1 - size)):
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise TooLarge(max_bytes)
    return b"".join(chunks)


def _capped(data: bytes, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise TooLarge(max_bytes)
    return data


_REASONS: tuple[tuple[type[Exception], Reason], ...] = (
    (NotAllowed, Reason.NOT_ALLOWED),
    (NoFile, Reason.UNSUPPORTED),
    (OptedOut, Reason.OPTED_OUT),
    (TooLarge, Reason.TOO_LARGE),
    (MemoryError, Reason.OUT_OF_MEMORY),
    (FileNotFoundError, Reason.FETCH_404),
    (NotADirectoryError, Reason.FETCH_404),
    (PermissionError, Reason.FETCH_DENIED),
    (TimeoutError, Reason.FETCH_TIMEOUT),
)
_STATUS = {
    404: Reason.FETCH_404,
    410: Reason.FETCH_404,
    401: Reason.FETCH_DENIED,
    403: Reason.FETCH_DENIED,
    408: Reason.FETCH_TIMEOUT,
}


def _reason(error: BaseException) -> Reason:
    if isinstance(error, StorageError) and error.__cause__ is not None:
        return _reason(error.__cause__)
    if isinstance(error, aiohttp.ClientResponseError):
        return _STATUS.get(error.status, Reason.FETCH_ERROR)
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), Reason.FETCH_ERROR)


def _detail(error: Exception) -> str:
    """What went wrong, in our words and the system's: those of others may quote what was read."""
    if isinstance(error, NotAllowed | NoFile | UsageError | OptedOut | TooLarge):
        return str(error)
    kind = type(error).__name__
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{kind}: status {error.status}"
    if isinstance(error, OSError) and error.errno:
        return f"{kind}: {os.strerror(error.errno)}"
    return kind
