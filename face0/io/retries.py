"""Errors of storage that pass, and how often what failed of one is tried again: one policy for every file system."""

import errno
import http.client
import io
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from face0.errors import StorageError

T = TypeVar("T")

# Packages whose exceptions are about a connection or a service, though many of them are no OSError.
_CLIENTS = frozenset({"aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "requests", "s3fs", "urllib3"})
_BROKEN_BODIES = (http.client.IncompleteRead,)

# What the caller may want to know by its type. The same question will have the same answer.
ANSWERS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)
_FINAL_NUMBERS = frozenset(
    {
        errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EINVAL, errno.ELOOP, errno.ENAMETOOLONG, errno.ENODEV,
        errno.ENOSPC, errno.ENOSYS, errno.ENOTEMPTY, errno.ENOTSUP, errno.ENXIO, errno.EROFS, errno.EXDEV,
    }
)  # fmt: skip
_FINAL = (*ANSWERS, StorageError, io.UnsupportedOperation, ssl.SSLCertVerificationError)
_PASSING_CODES = frozenset(
    {"InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException"}
)

# Set while this process is asked to end: nothing is waited for, and what fails now has failed.
giving_up = threading.Event()

_jitter = random.Random()  # not the global one, whose state tests and trainings set


def is_passing(error: BaseException) -> bool:
    """Whether an error may be gone at the next try: a time-out, a reset, a throttle, an answer of 5xx, EIO.

    What is missing, forbidden, full or of another kind stays so. An error that is not of storage never passes.
    """
    if not of_storage(error):
        return False
    if isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        return is_passing(error.__cause__)  # fsspec says of every page that does not answer that it is not there
    status, code = _answer(error)
    if status is not None:
        return status in (408, 425, 429) or status >= 500 or code in _PASSING_CODES
    # No kin of what is final here, and of packages whose other errors pass.
    if any(word in type(error).__name__ for word in ("Certificate", "Credentials", "InvalidURL", "Validation")):
        return False
    return not isinstance(error, _FINAL) and getattr(error, "errno", None) not in _FINAL_NUMBERS


def of_storage(error: BaseException) -> bool:
    """Whether an error is of a file system, or of the client of one."""
    return isinstance(error, (OSError, *_BROKEN_BODIES)) or any(
        kind.__module__.partition(".")[0] in _CLIENTS for kind in type(error).__mro__
    )


def _answer(error: BaseException) -> tuple[int | None, str | None]:
    """The status and the code with which a service answered, as far as the error tells."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):  # botocore's
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return status if isinstance(status, int) else None, response.get("Error", {}).get("Code")
    names = ("status", "status_code", "code")
    value = str(next((getattr(error, name) for name in names if hasattr(error, name)), ""))
    return (int(value) if value.isdecimal() and 100 <= int(value) <= 599 else None), None


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How often storage is asked again, and how long in between: twice as long each time, less a random part.

    Attributes:
        tries: at most, the first among them.
        first: seconds before the second try.
        longest: seconds before any try.
        total: seconds after which no other try begins.
        sleep: waits so many seconds.
        clock: tells the seconds.
    """

    tries: int = 10
    first: float = 0.1
    longest: float = 5.0
    total: float = 60.0
    sleep: Callable[[float], object] = giving_up.wait
    clock: Callable[[], float] = time.monotonic

    def __call__(self, what: str, operation: Callable[[], T]) -> T:
        """Does an operation that may be done twice.

        Args:
            what: it is, for the message: ``reading s3://bucket/a.tar``.
            operation: has the same outcome when it is done again.

        Raises:
            StorageError: it failed again and again, or of what does not pass.
            OSError: one of ANSWERS. What is not of storage comes as it is.
        """
        begun = self.clock()
        for tried in range(1, self.tries + 1):
            try:
                return operation()
            except Exception as error:
                if not of_storage(error) or isinstance(error, StorageError):
                    raise
                passing = is_passing(error)
                if isinstance(error, ANSWERS) and not passing:
                    raise
                wait = min(self.longest, self.first * 2 ** (tried - 1)) * _jitter.uniform(0.5, 1)
                seconds = self.clock() - begun
                if not passing or tried == self.tries or seconds + wait > self.total or giving_up.is_set():
                    failure = StorageError(f"{what} failed{_effort(tried, seconds)}: {_described(error)}")
                    failure.errno = getattr(error, "errno", None)  # a full disk is met in another way
                    raise failure from error
            self.sleep(wait)
        raise AssertionError("the last try returns or raises")


def _effort(tried: int, seconds: float) -> str:
    return f" {tried} times in {seconds:.0f} s" if tried > 1 else ""


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


POLICY = Retries()


def retried(what: str, operation: Callable[[], T]) -> T:
    """Does an operation on storage under the one policy, POLICY. See ``Retries.__call__``."""
    return POLICY(what, operation)
