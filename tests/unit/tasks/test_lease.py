"""Who may write to an output folder: one launch, and after its end the next."""

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace

import pytest

from face0.errors import UsageError
from face0.io.folder import Folder
from face0.tasks.lease import LEASE, Holder, Lease, LeaseLostError, hold
from face0.tasks.output_folder import OutputFolder
from tests.fixtures.counting import Count, do
from tests.fixtures.pictures import contents

QUICK = {"heartbeat": 0.1, "expiry": 1.0}


def held_by(folder: Folder, **changes: object) -> Holder:
    """Puts the lease of another launch there, as one that was killed leaves it."""
    ended = multiprocessing.get_context("spawn").Process(target=int)
    ended.start()
    ended.join()
    assert ended.pid is not None
    elsewhere = Folder("memory://lease-of-this-process")
    with Lease(elsewhere, "augment"):
        holder = Holder(**json.loads(elsewhere.read(LEASE)))
    holder = replace(holder, launch="other", pid=ended.pid, started=1, since="today")
    holder = replace(holder, **changes)
    folder.write_text(LEASE, holder.to_json().decode())
    return holder


def test_a_second_launch_is_refused_and_the_next_is_not(root):
    folder = Folder(root)
    with Lease(folder, "augment"):
        for _ in range(2):
            with pytest.raises(UsageError, match=rf"face0 augment \(process {os.getpid()} on .*\) is at work on"):
                Lease(folder, "generate").__enter__()
    with Lease(folder, "generate") as lease:
        hold(folder, lease.launch)
    assert contents(root) == {}


def test_a_launch_that_was_killed_on_this_machine_leaves_nothing_to_wait_for(root):
    held_by(Folder(root))
    started = time.monotonic()
    with Lease(Folder(root), "augment") as lease:
        hold(Folder(root), lease.launch)
    assert time.monotonic() - started < 10


def test_a_number_that_another_process_has_now_is_no_sign_of_life(root):
    held_by(Folder(root), pid=os.getppid())
    with Lease(Folder(root), "augment"):
        pass


@pytest.mark.parametrize("where", [{"host": "elsewhere"}, {"pids": "of another container with the name of this host"}])
def test_a_launch_on_another_machine_is_waited_for_until_its_lease_expires(root, where):
    held_by(Folder(root), **where)
    started = time.monotonic()
    with Lease(Folder(root), "augment", **QUICK):
        assert time.monotonic() - started >= QUICK["expiry"]


def test_a_launch_on_another_machine_that_gives_signs_of_life_is_left_alone(root):
    folder = Folder(root)
    with Lease(folder, "augment", **QUICK):
        record = json.loads(folder.read(LEASE))
    held_by(folder, host="elsewhere")
    lease = Lease(folder, "augment", heartbeat=0.1, expiry=30)

    def beat(_seconds: float) -> None:
        held_by(folder, host="elsewhere", beat=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("face0.tasks.lease.time.sleep", beat)
        with pytest.raises(UsageError, match="on elsewhere, since today"):
            lease.__enter__()
    assert record["job"] == "augment"


@pytest.mark.parametrize("left", [b"", b'{"launch": "oth'])
def test_a_lease_that_is_torn_expires_too(root, left):
    with Folder(root).write(LEASE) as file:
        file.write(left)
    with Lease(Folder(root), "augment", **QUICK):
        pass
    assert contents(root) == {}


@pytest.mark.faults
def test_a_launch_that_lost_its_lease_is_told_and_commits_nothing(root):
    folder, told = OutputFolder(root), []
    with Lease(folder, "augment", lost=lambda: told.append("lost"), **QUICK) as lease:
        mine = replace(folder, launch=lease.launch)
        do(mine, Count(uri="before"))
        folder.remove(LEASE)
        held_by(folder)
        with pytest.raises(LeaseLostError, match="taken over by face0 augment"):
            do(mine, Count(uri="after"))
        with pytest.raises(LeaseLostError, match="taken over by face0 augment"):
            mine.succeed(["count-before"])
        deadline = time.monotonic() + 10
        while not told and time.monotonic() < deadline:
            time.sleep(0.05)
    assert told == ["lost"]
    assert folder.stats_names() == {"count-before"}
    assert not folder.finished
    assert json.loads(folder.read(LEASE))["launch"] == "other"  # it is not ours to give back


def take(root: str, start: float, results: "multiprocessing.Queue[str]") -> None:
    time.sleep(max(0.0, start - time.time()))
    try:
        with Lease(Folder(root), "augment"):
            results.put("taken")
            time.sleep(1)
    except UsageError:
        results.put("refused")


def test_of_many_at_one_moment_one_gets_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    start = time.time() + 5
    launches = [context.Process(target=take, args=[str(tmp_path / "out"), start, results]) for _ in range(4)]
    for launch in launches:
        launch.start()
    answers = sorted(results.get(timeout=60) for _ in launches)
    for launch in launches:
        launch.join()
    assert answers == ["refused"] * 3 + ["taken"]
    assert list((tmp_path / "out").iterdir()) == []


def wait_in(root: str) -> None:
    with Lease(Folder(root), "augment"):
        print("taken", flush=True)
        time.sleep(60)


def test_a_lease_ends_with_its_process(tmp_path):
    root = str(tmp_path / "out")
    launch = multiprocessing.get_context("spawn").Process(target=wait_in, args=[root])
    launch.start()
    while not (tmp_path / "out" / LEASE).exists() or not (tmp_path / "out" / LEASE).read_bytes():
        time.sleep(0.05)
    with pytest.raises(UsageError):
        Lease(Folder(root), "augment").__enter__()
    assert launch.pid is not None
    os.kill(launch.pid, signal.SIGKILL)
    launch.join()
    with Lease(Folder(root), "augment"):
        pass


def test_a_lease_that_is_read_in_the_midst_of_a_heartbeat_is_still_held(tmp_path, monkeypatch):
    folder = Folder(str(tmp_path))
    with Lease(folder, "augment") as lease:
        whole = folder.read(LEASE)
        reads = iter([b"", whole[:5], whole])
        monkeypatch.setattr(Folder, "read", lambda *_: next(reads))
        hold(folder, lease.launch)
        monkeypatch.setattr(Folder, "read", lambda *_: b"")
        with pytest.raises(LeaseLostError):
            hold(folder, lease.launch)
        monkeypatch.undo()
