"""Inputs and outputs of the jobs whose processes are killed and launched twice."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from face0.generation.manifest import cross
from face0.tasks.output_folder import OutputFolder
from tests.fixtures.launcher import Launcher, launcher
from tests.fixtures.models import bank_of, write_model
from tests.fixtures.pictures import captioned, contents, people, rows, write_tar


@dataclass(frozen=True)
class Work:
    """A job whose output is known.

    Attributes:
        command: without the output.
        table: of its rows.
        key: column of that table that names the rows.
        count: of rows that are to come out.
    """

    command: tuple[object, ...]
    table: str
    key: str
    count: int

    def to(self, output: Path) -> tuple[object, ...]:
        """The command."""
        return (*self.command, "--output", output)

    def check(self, output: Path) -> None:
        """Asserts that no row is lost, none there twice, and no file that nobody names."""
        keys = [row[self.key] for row in rows(output, self.table)]
        assert len(set(keys)) == len(keys) == self.count
        assert rows(output, "failures") == []
        folder = OutputFolder(str(output))
        committed, success = folder.committed(), folder.success
        assert success is not None
        assert success.ledger.read == success.ledger.written == self.count
        named = {file.name for stats in committed.values() for file in stats.files}
        named |= {f"stats/{task}.json" for task in committed} | {"job.json", "_SUCCESS", "README.md", "report.html"}
        found = contents(output)
        assert {name for name in found if name.split("/")[0] not in ("images", "requests")} <= named
        if self.table == "results":
            digests = {row["image"]: row["image_sha256"] for row in rows(output, "results")}
            images = {name: data for name, data in found.items() if name.startswith("images/")}
            assert {name: hashlib.sha256(data).hexdigest() for name, data in images.items()} == digests
        assert not {path.name for path in output.iterdir()} & {"_partial", "_lease"}


@pytest.fixture(scope="session")
def works(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Work]:
    """Makes augment or generate with so many tasks."""
    folder = tmp_path_factory.mktemp("works")
    model = write_model(folder / "model")
    bank = bank_of(folder / "bank.parquet", "anna", "berta")

    @cache
    def work(job: str, tasks: int) -> Work:
        usual = ("--threads", 1, "--max-failures", "0")
        if job == "augment":
            tars = folder / f"tars-{tasks}"
            tars.mkdir()
            for i in range(tasks):
                write_tar(tars / f"{i:02d}.tar", captioned(people(6, first=6 * i)))
            return Work(("augment", f"{tars}/*.tar", "--embedder", "random:0", *usual), "shards", "key", 6 * tasks)
        manifest = folder / f"manifest-{tasks}.parquet"
        prompts = [f"a photo of {i}" for i in range(tasks)]
        pq.write_table(cross(prompts, ("anna", "berta"), range(2), {"steps": 20}), manifest)
        command = ("generate", manifest, "--faces", bank, "--model", model, "--requests-per-task", 4, "--batch", 2)
        return Work((*command, *usual), "results", "request_id", 4 * tasks)

    return work


@pytest.fixture(scope="session")
def launches() -> Iterator[Launcher]:
    """Starts jobs."""
    with launcher(OMP_NUM_THREADS="1") as started:
        yield started
