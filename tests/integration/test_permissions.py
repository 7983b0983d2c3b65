"""What jobs write on a local disk is for the account that runs them, unless it is asked for otherwise."""

import os
import stat
from pathlib import Path

import pytest

from face0.io import permissions
from face0.io.permissions import Permissions
from face0.io.storage import write_whole
from jobs.main import main
from tests.fixtures.models import bank_of, write_model
from tests.fixtures.pictures import augment, captioned, people, write_tar


def modes(folder: Path) -> set[tuple[bool, str]]:
    """Whether it is a folder, and the mode, of all that is there."""
    return {(path.is_dir(), oct(stat.S_IMODE(path.stat().st_mode))) for path in [folder, *folder.rglob("*")]}


PRIVATE = {(True, "0o700"), (False, "0o600")}
OPEN = {(True, "0o755"), (False, "0o644")}


@pytest.fixture(autouse=True)
def mask():
    """The umask that most accounts have."""
    before = os.umask(0o022)
    yield
    assert os.umask(before) == 0o022, "a job changed the umask of whoever called it"


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    return write_tar(tmp_path / "a.tar", captioned(people(12)))


def test_shards_a_space_a_base_and_a_model_are_private(tar, tmp_path):
    out = tmp_path / "new" / "out"
    assert augment(tar, out) == 0
    assert main(["faces", "fit", str(out), "--output", str(tmp_path / "space")]) == 0
    assert main(["faces", "sample", str(tmp_path / "space"), "--n", "2", "--output", str(tmp_path / "b" / "bank")]) == 0
    assert main(["init", "--preset", "tiny", "--output", str(tmp_path / "base")]) == 0
    named = ["--shards", str(out), "--base", str(tmp_path / "base"), "--output", str(tmp_path / "model")]
    usual = ["--batch", "4", "--resolution", "64", "--holdout", "2", "--holdout-similarity", "1", "--steps", "2"]
    cache = ["--cache-latents", str(tmp_path / "latents"), "--evaluate-every", "1", "--save-every", "1"]
    assert main(["train", *named, *usual, *cache]) == 0
    assert (tmp_path / "model" / "logs").is_dir()
    assert (tmp_path / "model" / "samples").is_dir()
    for name in ("new", "space", "b", "base", "model", "latents"):
        assert modes(tmp_path / name) == PRIVATE, name


@pytest.mark.long
def test_renders_are_private(tmp_path):
    model, bank = write_model(tmp_path / "model"), bank_of(tmp_path / "bank.parquet", "anna")
    (tmp_path / "prompts.txt").write_text("a photo\n")
    named = ["--prompts", str(tmp_path / "prompts.txt"), "--faces", str(bank), "--steps", "1"]
    assert main(["manifest", *named, "--output", str(tmp_path / "manifests" / "m.parquet")]) == 0
    manifest = str(tmp_path / "manifests" / "m.parquet")
    output = ["--faces", str(bank), "--model", str(model), "--output", str(tmp_path / "out"), "--threads", "1"]
    assert main(["generate", manifest, *output]) == 0
    assert (tmp_path / "out" / "report.html").is_file()
    assert modes(tmp_path / "out") == modes(tmp_path / "manifests") == PRIVATE


def test_by_the_option_they_are_as_the_umask_says(tar, tmp_path):
    assert augment(tar, tmp_path / "out", "--permissions", "umask") == 0
    assert (
        main(["faces", "fit", str(tmp_path / "out"), "--output", str(tmp_path / "space"), "--permissions=umask"]) == 0
    )
    assert modes(tmp_path / "out") == modes(tmp_path / "space") == OPEN
    assert augment(tar, tmp_path / "private", "--permissions", "private") == 0
    assert modes(tmp_path / "private") == PRIVATE


def test_an_unknown_word_is_refused(tar, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        augment(tar, tmp_path / "out", "--permissions", "0644")
    assert stopped.value.code == 2
    assert "--permissions" in capsys.readouterr().err


def test_folders_that_are_there_keep_their_mode(tar, tmp_path):
    (tmp_path / "out" / "shards").mkdir(parents=True)
    for folder in (tmp_path / "out", tmp_path / "out" / "shards"):
        folder.chmod(0o750)
    assert augment(tar, tmp_path / "out") == 0
    assert modes(tmp_path / "out") == {(True, "0o750"), (True, "0o700"), (False, "0o600")}


def test_the_library_writes_privately_too(tmp_path):
    with write_whole(str(tmp_path / "new" / "deep"), "a.bin") as file:
        file.write(b"1")
    assert modes(tmp_path / "new") == PRIVATE
    with permissions.applied(Permissions.UMASK), write_whole(str(tmp_path / "other"), "a.bin") as file:
        file.write(b"1")
    assert modes(tmp_path / "other") == OPEN
