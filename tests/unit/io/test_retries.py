"""Which errors pass, and how often what failed of one is tried again."""

import errno
import io
import pickle
import ssl
import threading
import time
from types import SimpleNamespace
from typing import Any

import aiohttp
import botocore.exceptions
import pytest
from aiohttp.client_reqrep import ConnectionKey
from fsspec.exceptions import FSTimeoutError

from face0.errors import StorageError
from face0.io.retries import Retries, is_passing
from face0.runtime.interruption import interruption


def answered(status: int) -> aiohttp.ClientResponseError:
    return aiohttp.ClientResponseError(SimpleNamespace(real_url="http://x/"), (), status=status)


def missing_page(cause: Exception) -> FileNotFoundError:
    error = FileNotFoundError("http://x/")
    error.__cause__ = cause
    return error


def of_s3(status: int, code: str) -> botocore.exceptions.ClientError:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.exceptions.ClientError(response, "GetObject")


KEY = ConnectionKey("x", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "Input/output error"),
        OSError("of a client without a number"),
        OSError(errno.EBUSY, "slow down"),
        ConnectionResetError(),
        BrokenPipeError(),
        TimeoutError(),
        FSTimeoutError(),
        aiohttp.ClientPayloadError("not enough data"),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "refused")),
        answered(503),
        answered(429),
        missing_page(answered(500)),
        missing_page(aiohttp.ServerDisconnectedError()),
        of_s3(500, "InternalError"),
        of_s3(400, "RequestTimeout"),
        botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"),
        botocore.exceptions.ReadTimeoutError(endpoint_url="http://x"),
    ],
    ids=repr,
)
def test_an_error_that_passes(error):
    assert is_passing(error)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "none"),
        PermissionError(errno.EACCES, "no"),
        IsADirectoryError(),
        NotADirectoryError(),
        FileExistsError(),
        OSError(errno.ENOSPC, "full"),
        OSError(errno.EROFS, "read-only"),
        OSError(errno.EDQUOT, "quota"),
        io.UnsupportedOperation("seek"),
        StorageError("tried already"),
        ssl.SSLCertVerificationError("expired"),
        aiohttp.ClientConnectorCertificateError(KEY, Exception("expired")),
        answered(404),
        answered(403),
        missing_page(answered(404)),
        of_s3(403, "AccessDenied"),
        ValueError("of somebody's bytes"),
        KeyError("x"),
        MemoryError(),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_an_error_that_stays(error):
    assert not is_passing(error)


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def failing(errors: list[BaseException]) -> Any:
    def operation() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    return operation


def retries(clock: Clock, **options: Any) -> Retries:
    return Retries(sleep=clock.sleep, clock=lambda: clock.now, **options)


def test_it_waits_longer_each_time_until_it_is_done():
    clock = Clock()
    policy = retries(clock, first=1.0, longest=4.0, total=100.0)
    assert policy("reading a.tar", failing([TimeoutError()] * 5)) == "done"
    for waited, most in zip(clock.waits, (1, 2, 4, 4, 4), strict=True):
        assert most / 2 <= waited <= most


def test_tries_and_time_have_an_end_and_the_file_is_named():
    clock = Clock()
    with pytest.raises(StorageError, match=r"reading a\.tar failed 3 times in \d+ s: TimeoutError: slow") as caught:
        retries(clock, tries=3)("reading a.tar", failing([TimeoutError("slow")] * 9))
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert len(clock.waits) == 2
    clock = Clock()
    with pytest.raises(StorageError, match="reading"):
        retries(clock, tries=99, first=1.0, total=10.0)("reading a.tar", failing([TimeoutError()] * 99))
    assert 5 < clock.now <= 10


def test_what_stays_is_raised_at_once_and_an_answer_as_it_is():
    clock = Clock()
    with pytest.raises(StorageError, match=r"writing a failed: OSError: \[Errno 28\] full"):
        retries(clock)("writing a", failing([OSError(errno.ENOSPC, "full")]))
    for error in (FileNotFoundError("a"), PermissionError("a"), ValueError("a"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            retries(clock)("reading a", failing([error]))
    assert not clock.waits


def test_a_full_disk_is_known_in_the_process_that_asked():
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError) as raised:
        Retries(tries=1)("writing a", full)
    error = pickle.loads(pickle.dumps(raised.value))
    assert (type(error), error.errno, str(error)) == (StorageError, errno.ENOSPC, str(raised.value))


def test_who_is_asked_to_end_waits_for_nothing():
    calls: list[float] = []

    def fails() -> None:
        calls.append(time.monotonic())
        raise TimeoutError

    with interruption.on_signals():
        threading.Timer(0.3, interruption.request).start()
        with pytest.raises(StorageError, match="2 times"):
            Retries(first=60, longest=60, total=600)("reading a", fails)
    assert calls[1] - calls[0] < 10
    with pytest.raises(StorageError, match="3 times"):  # and the next work of this process does
        Retries(tries=3, first=0.01)("reading a", fails)
