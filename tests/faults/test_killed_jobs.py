"""A job that is killed again and again, and its worker process with it, ends as if it never had been."""

import json
import os
import random
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SHARED_DATA
from tests.fixtures.launcher import Launch, Launcher
from tests.fixtures.pictures import captioned, contents, original, people, picture, success, write_tar

ROWS = 150  # of each tar

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


def start(launches: Launcher, inputs: list[Path], output: Path) -> Launch:
    options = ("--embedder", "random:0", "--threads", 1, "--max-failures", "100%", "--output", output)
    return launches.start(("augment", *inputs, *options), output.with_suffix(".log"))


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


def killed(launch: Launch, come: Callable[[], bool], delay: float) -> bool:
    """Kills it at its moment; False if it ended before."""
    try:
        while not happened(come):
            if launch.ended:
                return False
            time.sleep(0.0005)
        until = time.monotonic() + delay
        while time.monotonic() < until and not launch.ended:
            time.sleep(0.001)
        return not launch.ended
    finally:
        launch.kill()


def happened(come: Callable[[], bool]) -> bool:
    try:
        return come()
    except FileNotFoundError:  # renamed between listing and looking
        return True


def without_times(output: Path) -> dict[str, object]:
    """All there is, the times in stats and success mark and the report of them aside, folders included."""
    found: dict[str, object] = {}
    for name, data in contents(output).items():
        timed = name.startswith("stats/") or name == "_SUCCESS"
        times = {"seconds", "task_seconds", "ended"}
        found[name] = {k: v for k, v in json.loads(data).items() if k not in times} if timed else data
    assert found.pop("report.html")
    found["folders"] = sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_dir())
    return found


def test_killed_twenty_times_augment_ends_as_if_it_never_had_been(launches, inputs, tmp_path):
    assert start(launches, inputs, tmp_path / "undisturbed").wait() == 0
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
        launch = start(launches, inputs, output)
        assert launch.wait() == 0, launch.text
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
        launch = start(launches, inputs, output)
        if killed(launch, moment(kinds[0], output), chance.uniform(0, MOMENTS[kinds[0]][1])):
            landed.append((kinds.pop(0), len(names(output, "stats"))))
    finish()
    print(f"{len(landed)} kills over {rounds} outputs, {tries} starts: {landed}")
    # They did not all land before the work began
    assert {committed for _, committed in landed} >= {0, 1}


def test_killed_twenty_times_generate_has_every_image_once(works, launches, tmp_path):
    work, log = works("generate", 24), tmp_path / "log"

    def command(output: Path) -> tuple[object, ...]:
        return (*work.to(output), "--worker-processes", 0)  # whose models are there at once

    output = tmp_path / "out"
    assert launches.run(command(tmp_path / "undisturbed"), tmp_path / "log-0") == 0
    chance, kills, rounds = random.Random(0), 0, 0

    def images(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (folder / "images").glob("*")}

    while kills < 20:
        if (output / "_SUCCESS").exists():
            work.check(output)
            rounds += 1
            assert rounds < 6, f"{kills} kills, all others came too late"
            output = tmp_path / f"out-{rounds}"
        before = len(images(output))
        launch = launches.start(command(output), log)
        while not launch.ended and len(images(output)) == before:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.4))
        kills += not launch.ended
        launch.kill()
    assert launches.run(command(output), log) == 0, log.read_text()
    work.check(output)
    assert images(output) == images(tmp_path / "undisturbed")
