"""Worker processes that are killed at random: the job goes on, and nothing is lost, twice, or left over."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

KILLS = 20
WORKERS = 4


def workers_of(pid: int) -> list[int]:
    """The worker processes of a job."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            ours = f"PPid:\t{pid}\n" in (path / "status").read_text()
            if ours and b"child_process" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


@pytest.mark.parametrize("job", ["augment", "generate"])
def test_of_twenty_kills_among_four_workers_nothing_is_seen_in_the_output(works, launches, tmp_path, job):
    work, chance = works(job, 24), random.Random(job)
    killed = rounds = 0
    while killed < KILLS:
        rounds += 1
        assert rounds <= 8, f"{killed} kills, all others came too late"
        output, log = tmp_path / f"out-{rounds}", tmp_path / f"log-{rounds}"
        launch = launches.start((*work.to(output), "--worker-processes", WORKERS), log)
        while killed < KILLS and not launch.ended:
            time.sleep(chance.uniform(0.3, 2))
            if (workers := workers_of(launch.pid)) and (output / "stats").is_dir():
                os.kill(chance.choice(workers), signal.SIGKILL)
                killed += 1
        assert launch.wait() == 0, launch.text
        work.check(output)
