"""The same shards from every runner that is not refused."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fixtures.pictures import assert_complete, augment, captioned, contents, original, people, stats, write_tar

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("in")
    extra = captioned([("coffee.png", original("coffee")), ("empty.jpg", b"")])
    for i in range(4):
        write_tar(folder / f"{i}.tar", [*captioned(people(8, first=8 * i)), *extra])
    return str(folder / "*.tar")


@pytest.fixture(scope="module")
def expected(pattern: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By the default runner."""
    output = tmp_path_factory.mktemp("default") / "out"
    assert augment(pattern, output, "--max-failures", "100%") == 0
    assert_complete(output)
    return output


def assert_equal(found: Path, expected: Path) -> None:
    assert_complete(found)
    tables = [{k: v for k, v in contents(o).items() if k.endswith(".parquet")} for o in (found, expected)]
    assert len(tables[1]) == 8
    assert tables[0] == tables[1]
    assert stats(found) == stats(expected)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@contextmanager
def service(module: str, option: str, log: Path) -> Iterator[str]:
    """A server of Beam's in a process of its own, on a port of the loopback; gives its address."""
    port = free_port()
    command = [sys.executable, "-m", module, option, str(port)]
    # The pool starts its workers as "python".
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with open(log, "w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, env=environment)
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            raise AssertionError(f"{module} does not listen: {log.read_text()}")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    "options",
    [
        ["--runner=FnApiRunner"],
        ["--runner=BundleBasedDirectRunner"],
        ["--direct_running_mode=multi_threading", "--direct_num_workers=2"],
        ["--direct_running_mode=multi_processing", "--direct_num_workers=2"],
    ],
    ids=" ".join,
)
def test_local_runners_write_the_same(pattern, expected, tmp_path, options):
    assert augment(pattern, tmp_path / "out", "--max-failures", "100%", *options) == 0
    assert_equal(tmp_path / "out", expected)


def test_a_portable_runner_with_external_workers_writes_the_same(pattern, expected, tmp_path):
    with (
        service("apache_beam.runners.portability.local_job_service_main", "--port", tmp_path / "jobs.log") as jobs,
        service("apache_beam.runners.worker.worker_pool_main", "--service_port", tmp_path / "pool.log") as pool,
    ):
        options = ["--runner=PortableRunner", f"--job_endpoint={jobs}"]
        options += ["--environment_type=EXTERNAL", f"--environment_config={pool}"]
        assert augment(pattern, tmp_path / "out", "--max-failures", "100%", *options) == 0
    assert_equal(tmp_path / "out", expected)


def test_another_runner_goes_on_where_the_first_stopped(pattern, expected, tmp_path):
    assert augment(pattern, tmp_path / "out", "--max-failures", "100%") == 0
    for path in (tmp_path / "out" / "stats").glob("[02]-*.json"):
        path.unlink()
    options = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    assert augment(pattern, tmp_path / "out", "--max-failures", "100%", *options) == 0
    assert_equal(tmp_path / "out", expected)
