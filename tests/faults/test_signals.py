"""Jobs that are asked to end: what they say, what they leave, and how the same command goes on."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.faults.test_killed_workers import workers_of
from tests.fixtures.pictures import contents


@pytest.mark.parametrize(
    ("job", "workers", "signum", "code"),
    [
        ("augment", 2, signal.SIGTERM, 143),
        ("augment", 0, signal.SIGINT, 130),
        ("generate", 2, signal.SIGINT, 130),
        ("generate", 0, signal.SIGTERM, 143),
    ],
)
def test_a_job_that_is_asked_to_end_leaves_whole_tasks_and_goes_on(
    works, launches, tmp_path, job, workers, signum, code
):
    work, output = works(job, 6), tmp_path / "out"
    command = (*work.to(output), "--worker-processes", workers)
    launch = launches.start(command, tmp_path / "log")
    launch.wait_for(lambda: list(output.glob("stats/*")))
    processes = workers_of(launch.pid)
    asked = time.monotonic()
    if signum == signal.SIGINT:
        os.killpg(launch.pid, signum)  # as a terminal does: it reaches the workers too
    else:
        os.kill(launch.pid, signum)
    assert launch.wait() == code, launch.text
    assert time.monotonic() - asked < 60
    assert f"face0 {job}: stopped by {signum.name}; the same command goes on where it stood" in launch.text
    assert "Traceback" not in launch.text
    assert not [pid for pid in processes if Path(f"/proc/{pid}").exists()]
    left = contents(output)
    assert "_SUCCESS" not in left
    assert not [name for name in left if name.startswith(("_partial", "_lease"))]
    assert launches.run(command, tmp_path / "log") == 0, launch.text
    work.check(output)


def test_a_second_signal_ends_it_at_once(works, launches, tmp_path):
    work, output = works("augment", 12), tmp_path / "out"
    launch = launches.start((*work.to(output), "--worker-processes", 1), tmp_path / "log")
    launch.wait_for(lambda: list(output.glob("_partial/*/*")))
    os.kill(launch.pid, signal.SIGTERM)
    os.kill(launch.pid, signal.SIGTERM)
    asked = time.monotonic()
    assert launch.wait() == 143
    assert time.monotonic() - asked < 30
    assert not (output / "_partial").exists()
