"""Every job over storage of which 1 % or 5 % of all calls fail: it ends by itself, with what it would have made."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.main import main
from tests.fixtures.faults import environment, faulty, injected
from tests.fixtures.models import bank_of, write_model
from tests.fixtures.pictures import assert_complete, augment, captioned, contents, people, rows, success, write_tar

ROOT = Path(__file__).parents[2]
RATES = pytest.mark.parametrize("rate", [0.01, 0.05])
AUGMENT = ("--rows-per-task", "4", "--max-failures", "100%")


@pytest.fixture
def fails(rate: float) -> Iterator[Any]:
    """Calls that fail, bodies that break off, and writes that come short."""
    with injected(rate=rate, short=rate, short_writes=rate, seed=1) as state:
        yield state
    assert state.failed, "nothing failed, which says nothing"


def without_times(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in table]


def digests(folder: Path, *parts: str) -> dict[str, str]:
    return {
        name: hashlib.sha256(data).hexdigest()
        for name, data in contents(folder).items()
        if name.startswith(parts) and not name.endswith(".json")  # which name the folder of the base
    }


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same rows as a tar, a folder and a list, and one that does not decode."""
    folder = tmp_path_factory.mktemp("pictures")
    members = captioned([*people(7), ("broken.jpg", b"no image")])
    write_tar(folder / "a.tar", members)
    (folder / "plain").mkdir()
    for name, data in members:
        (folder / "plain" / name).write_bytes(data)
    lines = [f"{folder}/plain/{name},a photo,{name[:-4]}" for name, _ in members if name.endswith(".jpg")]
    (folder / "list.csv").write_text("\n".join(["url,caption,key", *lines]).replace(f"{folder}", faulty(folder)) + "\n")
    return folder


@pytest.fixture(scope="module")
def inputs(pictures: Path) -> list[str]:
    return [faulty(pictures / name) for name in ("*.tar", "plain", "list.csv")]


@pytest.fixture(scope="module")
def shards(inputs: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What augment makes when nothing fails."""
    output = tmp_path_factory.mktemp("shards") / "out"
    assert augment(inputs, output, *AUGMENT) == 0
    return output


@RATES
def test_augment(inputs, shards, tmp_path, fails):
    output = faulty(tmp_path / "out")
    assert augment(inputs, output, *AUGMENT) == 0
    assert_complete(tmp_path / "out")
    for table in ("shards", "failures"):
        assert rows(tmp_path / "out", table) == rows(shards, table)
    assert success(tmp_path / "out")["ledger"] == success(shards)["ledger"]


def test_augment_in_worker_processes(inputs, shards, tmp_path):
    command = [sys.executable, "-m", "jobs.main", "augment", *inputs, "--output", faulty(tmp_path / "out")]
    command += ["--embedder", "random:0", "--threads", "1", *AUGMENT]
    command += ["--worker-processes", "2"]
    known = environment(tmp_path / "site", rate=0.03, short=0.03, short_writes=0.03)
    run = subprocess.run(command, cwd=ROOT, env=known, capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, run.stderr
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "out").rglob("*")} == {0}
    assert_complete(tmp_path / "out")
    for table in ("shards", "failures"):
        assert rows(tmp_path / "out", table) == rows(shards, table)


def fit(shards: str, output: str) -> int:
    return main(["faces", "fit", shards, "--output", output, "--runner", "FnApiRunner"])


@pytest.fixture(scope="module")
def fitted(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted") / "space"
    assert fit(str(shards), str(folder)) == 0
    return folder


@RATES
def test_fit(shards, fitted, tmp_path, fails):
    for number in range(3):
        assert fit(faulty(shards), faulty(tmp_path / str(number))) == 0
        assert digests(tmp_path / str(number), "space.safetensors") == digests(fitted, "space.safetensors")


def train(shards: str, base: str, output: str) -> int:
    usual = ("--batch", "4", "--resolution", "64", "--holdout", "2", "--holdout-similarity", "1", "--precision", "fp32")
    saved = ("--steps", "3", "--save-every", "1", "--evaluate-every", "2", "--threads", "1", "--keep", "1")
    return main(["train", "--shards", shards, "--base", base, "--output", output, *usual, *saved])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "base"
    assert main(["init", "--preset", "tiny", "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def trained(shards: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "model"
    assert train(str(shards), str(base), str(folder)) == 0
    return folder


@RATES
def test_train(shards, base, trained, tmp_path, fails):
    assert train(faulty(shards), faulty(base), faulty(tmp_path / "model")) == 0
    weights = ("unet/", "face_projection/", "vae/", "checkpoints/step-00000003/unet/")
    assert digests(tmp_path / "model", *weights) == digests(trained, *weights)
    state = ("checkpoints/step-00000003/training_state",)
    assert digests(tmp_path / "model", *state) == digests(trained, *state)


def generate(folder: str, output: str) -> int:
    named = ("--faces", f"{folder}/bank.parquet", "--model", f"{folder}/model", "--output", output)
    usual = ("--threads", "1", "--requests-per-task", "2", "--batch", "2", "--worker-processes", "0")
    return main(["generate", f"{folder}/manifest.csv", *named, *usual])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_model(folder / "model")
    bank_of(folder / "bank.parquet", "anna", "berta")
    lines = [f"a photo,{face},{seed},1" for face in ("anna", "berta") for seed in range(4)]
    (folder / "manifest.csv").write_text("\n".join(["prompt,face_id,seed,steps", *lines]) + "\n")
    return folder


@pytest.fixture(scope="module")
def rendered(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("rendered") / "out"
    assert generate(str(world), str(output)) == 0
    return output


@RATES
def test_generate(world, rendered, tmp_path, fails):
    assert generate(faulty(world), faulty(tmp_path / "out")) == 0
    assert without_times(rows(tmp_path / "out", "results")) == without_times(rows(rendered, "results"))
    assert digests(tmp_path / "out", "images/") == digests(rendered, "images/")
    assert contents(tmp_path / "out").keys() == contents(rendered).keys()
    assert success(tmp_path / "out")["ledger"] == success(rendered)["ledger"]
