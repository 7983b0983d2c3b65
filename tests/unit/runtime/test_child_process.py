"""A child that works for this process."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from face0.errors import UsageError
from face0.runtime.child_process import ChildDiedError, ChildProcess


class Strange(Exception):
    """Cannot be pickled: it is made of two arguments, and keeps one."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(one + other)


class Calls:
    """Counts its calls, and does as it is told."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, what: str) -> object:
        self.count += 1
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "exit":
            os._exit(3)
        if what == "refuse":
            raise UsageError("no such thing")
        if what == "strange":
            raise Strange("a", "b")
        if what == "print":
            print("see https://me:MARK3R@host/a?sig=MARK3R", file=sys.stderr)
        if what == "wait":
            time.sleep(60)
        return self.count, os.getpid()


def nothing() -> None:
    """Looks at nothing while the child works."""


@pytest.fixture
def child():
    child = ChildProcess(Calls)
    yield child
    child.terminate()


def test_one_object_is_loaded_and_called(child):
    (first, pid), (second, same) = child.call("", check=nothing), child.call("", check=nothing)
    assert (first, second) == (1, 2)
    assert pid == same != os.getpid()


def test_errors_come_back_with_where_they_were_raised(child):
    with pytest.raises(UsageError, match="no such thing") as refused:
        child.call("refuse", check=nothing)
    assert "in __call__" in str(refused.value.__cause__)
    with pytest.raises(RuntimeError, match="Strange: ab"):
        child.call("strange", check=nothing)
    assert child.call("", check=nothing)[0] == 3


@pytest.mark.parametrize(("what", "how"), [("die", "was ended by SIGKILL"), ("exit", "ended with exit code 3")])
def test_a_death_is_told_at_once(child, what, how):
    for _ in range(2):  # and of one that is dead already
        with pytest.raises(ChildDiedError, match=how):
            child.call(what, check=nothing)


def test_who_waits_can_give_up(child):
    def give_up() -> None:
        child.kill()
        raise TimeoutError

    with pytest.raises(TimeoutError):
        child.call("wait", check=give_up)


def test_a_child_ends_with_its_parent():
    script = (
        "import os, time; from face0.runtime.child_process import ChildProcess; "
        "from tests.unit.runtime.test_child_process import Calls, nothing; "
        "print(ChildProcess(Calls).call('', check=nothing)[1], flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while lives(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not lives(pid)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_a_child_prints_has_no_secrets(capfd) -> None:
    child = ChildProcess(Calls)
    child.call("print", check=lambda: None)
    child.terminate()
    printed = capfd.readouterr().err
    assert "see https://host/a\n" in printed
    assert "MARK3R" not in printed


def test_a_child_that_dies_before_it_has_all_to_load_is_told_of_by_the_first_call(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    child = ChildProcess(partial(len, bytes(2**24)))
    with pytest.raises(ChildDiedError, match="exit code 1"):
        child.call(check=nothing)
    child.terminate()
