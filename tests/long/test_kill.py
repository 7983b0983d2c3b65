"""A job that is killed again and again ends as if it never had been."""

import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SHARED_DATA
from tests.fixtures.pictures import captioned, contents, original, people, picture, success, write_tar

ROOT = Path(__file__).parents[2]
ROWS = 150  # of each tar
DEADLINE = 300  # seconds for one start of the job

# Where kills land. Each waits for its moment, then for up to so many seconds more.
STARTING, CONFIGURED, WORKING = "starting", "configured", "working"
RENAMED, COMMITTED, DONE = "renamed", "committed", "done"
MOMENTS = {  # how often, and the seconds
    STARTING: (4, 4.0),
    CONFIGURED: (2, 1.0),
    WORKING: (6, 3.0),
    RENAMED: (4, 0.0),
    COMMITTED: (3, 0.05),
    DONE: (1, 0.0),
}


def cut(source: Path, path: Path) -> Path:
    """The first rows of a tar, with some that fail or have no face."""
    with tarfile.open(source) as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in list(tar)[: 3 * ROWS]]
    return write_tar(path, [*members, *captioned([("coffee.png", original("coffee")), ("empty.jpg", b"")])])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("in")
    if SHARED_DATA.is_dir():
        return [cut(SHARED_DATA / "lfw" / f"lfw-0000{i}.tar", folder / f"{i}.tar") for i in (0, 1)]
    extra = [("coffee.jpg", picture("coffee")), ("empty.jpg", b""), ("cut.jpg", picture("admiral")[:2000])]
    return [write_tar(folder / f"{i}.tar", captioned([*people(ROWS, first=i * ROWS), *extra])) for i in (0, 1)]


class Run:
    """The job as a process of its own."""

    def __init__(self, inputs: list[Path], output: Path) -> None:
        command = [sys.executable, "-m", "jobs.main", "augment", *map(str, inputs), "--output", str(output)]
        command += ["--embedder", "random:0", "--threads", "1", "--max-failures", "100%"]
        self.log = output.with_suffix(".log")
        with open(self.log, "a") as log:
            # A session of its own, so that a kill reaches whatever it started.
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)

    def ends(self) -> int:
        try:
            return self.process.wait(DEADLINE)
        finally:
            self.kill()

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def names(output: Path, *folders: str) -> set[str]:
    return {str(path) for folder in folders for path in (output / folder).glob("*")}


def moment(kind: str, output: Path) -> Callable[[], bool]:
    """Tells when it has come, counted from now."""
    renamed, committed = names(output, "shards", "failures"), names(output, "stats")
    return {
        STARTING: lambda: True,
        CONFIGURED: (output / "job.json").exists,
        WORKING: lambda: any(os.path.getsize(name) for name in list_safely(output / "_partial")),
        RENAMED: lambda: names(output, "shards", "failures") != renamed,
        COMMITTED: lambda: names(output, "stats") != committed,
        DONE: (output / "_SUCCESS").exists,
    }[kind]


def list_safely(folder: Path) -> list[str]:
    """The files in the folders of launches."""
    return [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]


def killed(run: Run, come: Callable[[], bool], delay: float) -> bool:
    """Kills it at its moment; False if it ended before."""
    deadline = time.monotonic() + DEADLINE
    try:
        while not happened(come):
            if run.process.poll() is not None:
                return False
            assert time.monotonic() < deadline, f"nothing happened: {run.log.read_text()}"
            time.sleep(0.0005)
        until = time.monotonic() + delay
        while time.monotonic() < until and run.process.poll() is None:
            time.sleep(0.001)
        return run.process.poll() is None
    finally:
        run.kill()


def happened(come: Callable[[], bool]) -> bool:
    try:
        return come()
    except FileNotFoundError:  # renamed between listing and looking
        return True


def without_times(output: Path) -> dict[str, object]:
    """All there is, the seconds in stats and in the success mark aside, folders included."""
    found: dict[str, object] = {}
    for name, data in contents(output).items():
        timed = name.startswith("stats/") or name == "_SUCCESS"
        found[name] = {k: v for k, v in json.loads(data).items() if "seconds" not in k} if timed else data
    found["folders"] = sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_dir())
    return found


def test_killed_twenty_times_it_ends_as_if_it_never_had_been(inputs, tmp_path):
    assert Run(inputs, tmp_path / "undisturbed").ends() == 0
    expected = without_times(tmp_path / "undisturbed")
    ledger = success(tmp_path / "undisturbed")["ledger"]
    assert ledger["read"] > 2 * ROWS
    assert min(ledger["written"], ledger["no_face"], ledger["failed"]) > 0

    chance = random.Random(20)
    kinds = [kind for kind, (count, _) in MOMENTS.items() for _ in range(count)]
    chance.shuffle(kinds)
    assert len(kinds) == 20
    landed: list[tuple[str, int]] = []  # and how many tasks were committed by then
    rounds, output = 1, tmp_path / "killed-1"

    def finish() -> None:
        assert Run(inputs, output).ends() == 0, output.with_suffix(".log").read_text()
        assert without_times(output) == expected, f"after {landed}"

    tries = 0
    while kinds:
        tries += 1
        assert tries < 60, f"too often it ended before its moment came: {landed}, {kinds}"
        # An output that is complete has few moments left: start another.
        if (output / "_SUCCESS").exists():
            finish()
            rounds += 1
            output = tmp_path / f"killed-{rounds}"
        run = Run(inputs, output)
        if killed(run, moment(kinds[0], output), chance.uniform(0, MOMENTS[kinds[0]][1])):
            landed.append((kinds.pop(0), len(names(output, "stats"))))
    finish()
    print(f"{len(landed)} kills over {rounds} outputs, {tries} starts: {landed}")
    # They did not all land before the work began
    assert {committed for _, committed in landed} >= {0, 1}
