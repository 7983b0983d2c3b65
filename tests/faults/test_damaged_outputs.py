"""Finished outputs of which something is gone, cut or changed: the same command mends them, or says what is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

JOBS = ("augment", "generate")
TABLE = {"augment": "shards", "generate": "results"}


@pytest.fixture(scope="module")
def finished(works, launches, tmp_path_factory) -> Callable[[str], Path]:
    """The output of a job with three tasks."""
    folder = tmp_path_factory.mktemp("finished")

    def output(job: str) -> Path:
        if not (folder / job).exists():
            assert launches.run((*works(job, 3).to(folder / job), "--worker-processes", 0), folder / f"{job}.log") == 0
        return folder / job

    return output


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def grow(file: Path) -> None:
    file.write_bytes(file.read_bytes() + bytes(10))


def empty(file: Path) -> None:
    file.write_bytes(b"")


def tear(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:40])


def point_outside(file: Path) -> None:
    record = json.loads(file.read_text())
    record["files"][0]["name"] = "../outside"
    file.write_text(json.dumps(record))


def name_no_file(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "files": []}))


@pytest.mark.parametrize(
    ("where", "damage"),
    [
        *(("table", damage) for damage in (Path.unlink, cut, grow, empty)),
        *(("failures", damage) for damage in (Path.unlink, cut)),
        *(("stats", damage) for damage in (Path.unlink, empty, tear, point_outside, name_no_file)),
        *(("_SUCCESS", damage) for damage in (Path.unlink, empty, tear)),
    ],
)
@pytest.mark.parametrize("job", JOBS)
def test_the_same_command_makes_it_whole(works, launches, finished, tmp_path, job, where, damage):
    work, output = works(job, 3), tmp_path / "out"
    shutil.copytree(finished(job), output)
    (tmp_path / "outside").write_text("keep")
    place = output / TABLE.get(job, "") if where == "table" else output / where
    damage(min(place.iterdir()) if place.is_dir() else place)
    assert launches.run((*work.to(output), "--worker-processes", 0), tmp_path / "log") == 0, (
        tmp_path / "log"
    ).read_text()
    work.check(output)
    assert (tmp_path / "outside").read_text() == "keep"


@pytest.mark.parametrize("damage", [Path.unlink, cut, empty])
def test_an_image_is_made_again(works, launches, finished, tmp_path, damage):
    work, output = works("generate", 3), tmp_path / "out"
    shutil.copytree(finished("generate"), output)
    damage(min((output / "images").iterdir()))
    assert launches.run((*work.to(output), "--worker-processes", 0), tmp_path / "log") == 0
    assert "counts as not committed" in (tmp_path / "log").read_text()
    work.check(output)


@pytest.mark.parametrize("damage", [Path.unlink, empty, tear])
@pytest.mark.parametrize("job", JOBS)
def test_without_its_job_record_an_output_is_left_alone(works, launches, finished, tmp_path, job, damage):
    output = tmp_path / "out"
    shutil.copytree(finished(job), output)
    damage(output / "job.json")
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    assert launches.run((*works(job, 3).to(output), "--worker-processes", 0), tmp_path / "log") == 2
    assert "job.json is" in (tmp_path / "log").read_text()
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before
