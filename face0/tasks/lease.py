"""A lease on an output folder: one launch at a time writes to it.

The file ``_lease`` names its holder. On a local disk it is locked as long as its holder lives (flock), so that a killed
launch leaves nothing to wait for on the machine that it ran on. On an object store it is created on the condition that
there is none, and its holder rewrites it every few seconds; one that stands still for a minute has expired.
"""

import fcntl
import hashlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from face0.errors import StorageError, UsageError
from face0.io import storage
from face0.io.folder import Folder
from face0.io.permissions import make_folders
from face0.io.retries import retried

logger = logging.getLogger(__name__)

LEASE = "_lease"
HEARTBEAT_SECONDS = 10.0
EXPIRY_SECONDS = 60.0
# A store that does not write whole may be read in the midst of a heartbeat: looks at what is torn, and seconds between.
TORN_READS, TORN_PAUSE = 5, 0.05

_OURS: set[str] = set()  # launches of this process that hold a lease


class LeaseLostError(StorageError):
    """Another launch has taken the output folder over, for this one was silent too long."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who has a lease.

    Attributes:
        launch: names it.
        job: what it does, for a person.
        host: name of the machine.
        pid: of the process there.
        started: when the process did, as the machine counts; 0: that is not known.
        since: when the lease was taken, for a person.
        beat: counts the heartbeats.
        pids: names the machine since it was started, and the container, in which ``pid`` is this process's number;
            containers may share the name of a host. Empty: that is not known.
    """

    launch: str
    job: str
    host: str
    pid: int
    started: int
    since: str
    beat: int = 0
    pids: str = ""

    def to_json(self) -> bytes:
        """The content of the file."""
        return json.dumps(asdict(self), sort_keys=True).encode()

    @property
    def can_be_seen(self) -> bool:
        """Whether this process can tell whether the holder lives."""
        return self.host == socket.gethostname() and self.pids == _pids()

    @property
    def has_ended(self) -> bool:
        """Whether it is known to be gone: a process beside this one that lives no more."""
        if not self.can_be_seen:
            return False
        if self.pid == os.getpid() and self.started == _started(self.pid):
            return self.launch not in _OURS
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # it lives, and is another user's
        return _started(self.pid) != self.started


def _started(pid: int) -> int:
    """When a process started, in ticks since the machine did: a number given to two processes differs in it."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


def _pids() -> str:
    """What tells the processes that this one can see by their numbers from those of other machines and containers."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _parse(data: bytes) -> Holder | None:
    try:
        holder = Holder(**json.loads(data))
    except (ValueError, TypeError, RecursionError):
        return None  # torn, as it is being written, or of another version
    # Signals are sent to a process of this number, be it only to ask: 0 and less are groups.
    return holder if type(holder.pid) is int and 0 < holder.pid < 1 << 31 else None


class Lease:
    """Holds an output folder while the block lasts.

    Args:
        folder: the output.
        job: that writes to it, for the message that another launch gets.
        lost: is called, from another thread, when the lease is lost.
        heartbeat: seconds between two signs of life.
        expiry: seconds without any after which a lease may be taken over.

    Attributes:
        lost: whether another launch has it, or storage could not be asked for as long as it holds.
        launch: names this launch. ``hold`` in workers refuses when another has taken over.

    Raises:
        UsageError: on entry; another launch is at work on the folder.
    """

    def __init__(
        self,
        folder: Folder,
        job: str,
        *,
        lost: Callable[[], None] = lambda: None,
        heartbeat: float = HEARTBEAT_SECONDS,
        expiry: float = EXPIRY_SECONDS,
    ) -> None:
        self.launch = uuid.uuid4().hex[:16]
        self.lost = False
        self._folder, self._job, self._tell = folder, job, lost
        self._heartbeat, self._expiry = heartbeat, expiry
        self._file: _LeaseFile = (_LocalFile if folder.is_local else _RemoteFile)(folder)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Lease":
        holder = Holder(
            launch=self.launch,
            job=self._job,
            host=socket.gethostname(),
            pid=os.getpid(),
            started=_started(os.getpid()),
            since=time.strftime("%Y-%m-%d %H:%M:%S"),
            pids=_pids(),
        )
        _OURS.add(self.launch)
        try:
            self._take(holder)
        except BaseException:
            _OURS.discard(self.launch)
            raise
        self._holder = holder
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        _OURS.discard(self.launch)
        with suppress(OSError):  # it would expire
            self._file.release(self.launch)

    def _take(self, holder: Holder) -> None:
        first_sign: str | None = None
        still_since = 0.0
        while not self._file.claim(holder):
            if self._file.locked:
                raise self._refused(self._file.holder())
            sign, other = self._file.sign(), self._file.holder()
            if sign is None:
                continue  # it was given back in this moment
            if other is not None and other.has_ended:
                self._file.claim(holder, instead_of=sign)
            elif other is not None and other.can_be_seen and other.started:
                raise self._refused(other)
            elif first_sign is None:
                first_sign, still_since = sign, time.monotonic()
                logger.info("waiting whether %s is still at work on %s", _named(other), self._folder.uri)
            elif sign != first_sign:
                raise self._refused(other)
            elif time.monotonic() - still_since >= self._expiry:
                logger.info("taking %s over: %s gave no sign of life", self._folder.uri, _named(other))
                self._file.claim(holder, instead_of=sign)
            else:
                time.sleep(min(1.0, self._heartbeat))
            if self._file.held:
                return

    def _refused(self, holder: Holder | None) -> UsageError:
        return UsageError(
            f"{_named(holder)} is at work on {self._folder.uri}: let it end, stop it, or give another --output"
        )

    def _beat(self) -> None:
        alive = time.monotonic()
        while not self._ended.wait(self._heartbeat):
            try:
                holder = self._file.holder()
                if holder is None or holder.launch != self.launch:
                    break
                self._holder = replace(self._holder, beat=self._holder.beat + 1)
                self._file.renew(self._holder)
                alive = time.monotonic()
            except OSError:  # storage out of breath; what it means, others can tell only when the lease expires
                if time.monotonic() - alive >= self._expiry:
                    break
        else:
            return
        self.lost = True
        logger.error("the lease on %s is lost: this launch commits nothing more", self._folder.uri)
        self._tell()


def _named(holder: Holder | None) -> str:
    if holder is None:
        return "another launch"
    return f"face0 {holder.job} (process {holder.pid} on {holder.host}, since {holder.since})"


def hold(folder: Folder, launch: str) -> None:
    """Checks that a launch still holds its output folder, before its worker commits.

    Raises:
        LeaseLostError: another has taken over.
    """
    for _ in range(TORN_READS):
        try:
            holder = _parse(folder.read(LEASE))
        except FileNotFoundError:
            holder = None
            break
        if holder is not None:
            break
        time.sleep(TORN_PAUSE)
    if holder is None or holder.launch != launch:
        raise LeaseLostError(f"{folder.uri} was taken over by {_named(holder)}; this launch commits nothing more")


class _LeaseFile(Protocol):
    """The file, as a kind of storage can keep it for one holder."""

    held: bool
    locked: bool  # by another, who lives: the last claim found it so

    def claim(self, holder: Holder, instead_of: str | None = None) -> bool:
        """Takes the lease if nobody has it, or if it still has the sign that is given."""

    def holder(self) -> Holder | None:
        """Who has it; None: nobody, or that cannot be read."""

    def sign(self) -> str | None:
        """A value that changes with every heartbeat; None: there is no lease."""

    def renew(self, holder: Holder) -> None:
        """Gives a sign of life."""

    def release(self, launch: str) -> None:
        """Gives it back, if this launch still has it."""


class _LocalFile:
    """On a local disk: locked while its holder lives; what it says counts where the disk knows no locks."""

    def __init__(self, folder: Folder) -> None:
        self._path = Path(storage.filesystem(folder.join(LEASE))[1])
        self._fd = -1
        self.held = self.locked = False

    def claim(self, holder: Holder, instead_of: str | None = None) -> bool:
        make_folders(self._path.parent)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.locked = False
        except BlockingIOError:
            self.locked = True
        except OSError:
            self.locked = False
        # What is torn was left by a launch that was killed: the living hold the lock.
        free = self.holder() is None or self.sign() == instead_of
        if not self.locked and self._is_current(fd) and free:
            self._fd, self.held = fd, True
            os.ftruncate(fd, os.pwrite(fd, holder.to_json(), 0))
        else:
            os.close(fd)
        return self.held

    def holder(self) -> Holder | None:
        with suppress(FileNotFoundError):
            return _parse(self._path.read_bytes())
        return None

    def sign(self) -> str | None:
        with suppress(FileNotFoundError):
            return str(self._path.stat().st_mtime_ns)
        return None

    def renew(self, holder: Holder) -> None:  # noqa: ARG002
        os.utime(self._fd)  # and not its content, which workers read at any moment

    def release(self, launch: str) -> None:  # noqa: ARG002
        if self._is_current(self._fd):
            self._path.unlink()
        os.close(self._fd)
        self.held = False

    def _is_current(self, fd: int) -> bool:
        """Whether the opened file is still the one of this name: its holder removes it."""
        try:
            return os.path.samestat(os.fstat(fd), self._path.stat())
        except FileNotFoundError:
            return False


class _RemoteFile:
    """On an object store: made on the condition that there is none, where the store knows such conditions."""

    SETTLE_SECONDS = 1.0  # two who remove an expired lease at one moment both make a new one: the later counts

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._fs, self._path = storage.filesystem(folder.join(LEASE))
        self.held = self.locked = False

    def claim(self, holder: Holder, instead_of: str | None = None) -> bool:
        if instead_of is not None:
            if self.sign() != instead_of:
                return False
            self._folder.remove(LEASE)
        with suppress(FileExistsError):
            retried(f"making {self._folder.join(LEASE)}", lambda: self._make(holder.to_json()))
            if instead_of is not None:
                time.sleep(self.SETTLE_SECONDS)
            self.held = self.holder() == holder
        return self.held

    def _make(self, record: bytes) -> None:
        """Makes the file. May be done twice: what a try that failed has left is told from another's."""
        try:
            self._fs.pipe_file(self._path, record, mode="create")
        except FileExistsError:
            if self._content() != record:
                raise
        except OSError:
            if (there := self._content()) not in (None, record) and record.startswith(there):
                self._folder.remove(LEASE)
            raise

    def _content(self) -> bytes | None:
        self._fs.invalidate_cache()
        with suppress(FileNotFoundError):
            return self._folder.read(LEASE)
        return None

    def holder(self) -> Holder | None:
        content = self._content()
        return None if content is None else _parse(content)

    def sign(self) -> str | None:
        content = self._content()
        return None if content is None else hashlib.sha256(content).hexdigest()

    def renew(self, holder: Holder) -> None:
        retried(f"writing {self._folder.join(LEASE)}", lambda: self._fs.pipe_file(self._path, holder.to_json()))

    def release(self, launch: str) -> None:
        holder = self.holder()
        if holder is not None and holder.launch == launch:
            self._folder.remove(LEASE)
        self.held = False
