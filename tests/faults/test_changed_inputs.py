"""Inputs that change between two runs, and while they are read: never committed, and always named."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from face0.augmentation.augmenter import Augmenter
from face0.errors import UsageError
from face0.generation.config import GenerateConfig
from face0.generation.generator import Generator
from face0.io.storage import write_whole
from face0.model.folder import inspect_model
from face0.readers.planning import plan, read
from face0.readers.samples import Columns
from face0.readers.versions import refuse_changed
from face0.shards.files import iter_columns, open_shards
from face0.shards.loader import FaceShards
from face0.shards.selection import Holdout
from tests.fixtures.faults import faulty, injected
from tests.fixtures.inputs import tar_bytes
from tests.fixtures.models import tiny_pipeline, write_model
from tests.fixtures.pictures import assert_complete, augment, captioned, contents, people, rows, stats, write_tar

USUAL = ("--rows-per-task", "2", "--max-failures", "100%")


def write_list(folder: Path, names: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, image in people(4):
        if not (folder / name).exists():
            (folder / name).write_bytes(image)
    path = folder / "list.csv"
    path.write_text("\n".join(["url,caption,key", *(f"{name},a photo,{name[:-4]}" for name in names)]) + "\n")
    return path


NAMES = [name for name, _ in people(4)]


@contextmanager
def after_task(number: int, change: Callable[[], Any]) -> Iterator[None]:
    """Changes something when so many tasks have read their rows, before they are committed."""
    verify, done = Augmenter.verify, []

    def change_and_verify(self: Augmenter, *args: Any) -> None:
        done.append(1)
        if len(done) == number:
            change()
        verify(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Augmenter, "verify", change_and_verify)
        yield


def committed(output: Path) -> list[str]:
    return sorted(row["key"] for row in rows(output)) if (output / "shards").exists() else []


def test_a_tar_of_the_same_size_is_another_one(tmp_path, capsys):
    path = write_tar(tmp_path / "a.tar", captioned(people(2)))
    size = path.stat().st_size
    assert augment(path, tmp_path / "out") == 0
    before = contents(tmp_path / "out")
    write_tar(path, captioned(people(2, first=4)))
    assert path.stat().st_size == size
    capsys.readouterr()
    assert augment(path, tmp_path / "out") == 2
    assert "a.tar has changed since its task" in capsys.readouterr().err
    assert contents(tmp_path / "out") == before


def test_a_list_that_is_reordered_during_the_run_is_not_committed(tmp_path, capsys):
    path = write_list(tmp_path / "in", NAMES)
    with after_task(2, lambda: write_list(tmp_path / "in", NAMES[::-1])):
        assert augment(path, tmp_path / "out", *USUAL) != 0
    assert "list.csv has changed since the job was planned" in capsys.readouterr().err
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    kept = committed(tmp_path / "out")
    assert kept == [name[:-4] for name in NAMES[:2]]
    assert augment(path, tmp_path / "out", *USUAL) == 2
    assert "list.csv has changed since its task" in capsys.readouterr().err
    assert committed(tmp_path / "out") == kept
    write_list(tmp_path / "in", NAMES)
    assert augment(path, tmp_path / "out", *USUAL) == 0
    assert_complete(tmp_path / "out")
    assert committed(tmp_path / "out") == [name[:-4] for name in NAMES]


def test_a_tar_that_is_swapped_while_it_is_read_runs_again_as_it_is_now(tmp_path):
    path = write_tar(tmp_path / "a.tar", captioned(people(2)))
    with after_task(1, lambda: write_tar(path, captioned(people(2, first=4)))):
        assert augment(path, tmp_path / "out") != 0
    assert not stats(tmp_path / "out")
    assert augment(path, tmp_path / "out") == 0
    assert committed(tmp_path / "out") == ["p0004", "p0005"]


@pytest.mark.parametrize("name", ["p0000.txt", "p0000.jpg"])
def test_a_file_of_a_folder_that_is_swapped_is_noticed(tmp_path, capsys, name):
    folder = tmp_path / "in"
    folder.mkdir()
    for member, data in captioned(people(2)):
        (folder / member).write_bytes(data)
    whole = (folder / name).read_bytes()
    with after_task(1, lambda: (folder / name).write_bytes(whole[::-1])):
        assert augment(folder, tmp_path / "out", *USUAL) != 0
    assert f"{folder} has changed since the job was planned" in capsys.readouterr().err
    assert not stats(tmp_path / "out")
    (folder / name).write_bytes(whole)
    assert augment(folder, tmp_path / "out", *USUAL) == 0
    (folder / name).write_bytes(whole[::-1])
    assert augment(folder, tmp_path / "out", *USUAL) == 2


def test_a_list_that_is_written_again_with_the_same_bytes_is_the_same(tmp_path):
    path = write_list(tmp_path / "in", NAMES)
    with after_task(1, lambda: os.utime(path, (1, 1))):
        assert augment(path, tmp_path / "out", *USUAL) == 0
    assert augment(path, tmp_path / "out", *USUAL) == 0


def test_stats_that_name_no_version_are_gone_on_with(tmp_path):
    """As those of version 0.2.0 and before."""
    path = write_list(tmp_path / "in", NAMES)
    assert augment(path, tmp_path / "out", *USUAL) == 0
    for file in (tmp_path / "out" / "stats").iterdir():
        record = json.loads(file.read_text())
        assert record["task"].pop("version")
        assert record["task"].pop("sha256")
        file.write_text(json.dumps(record))
    os.utime(path, (1, 1))
    assert augment(path, tmp_path / "out", *USUAL) == 0


def test_an_object_of_the_same_size_is_another_one(bucket):
    def put(words: str) -> None:
        with write_whole(f"{bucket}/changed", "a.tar") as file:
            file.write(tar_bytes([("a.jpg", b"image"), ("a.txt", words.encode())]))

    put("a cat")
    (split,) = plan([f"{bucket}/changed/*.tar"], Columns(), 10)
    assert split.version.startswith("etag ")
    refuse_changed(split)
    put("a cat")
    refuse_changed(split)  # the same bytes
    put("a dog")
    with pytest.raises(UsageError, match=r"changed/a\.tar has changed since the job was planned"):
        refuse_changed(split)
    assert plan([f"{bucket}/changed/a.tar"], Columns(), 10)[0].task_id == split.task_id


def test_links_are_as_they_were(tmp_path):
    write_tar(tmp_path / "there.tar", captioned(people(1)))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tar").symlink_to(tmp_path / "there.tar")
    (split,) = plan([f"{tmp_path}/in/*.tar"], Columns(), 10)
    refuse_changed(split)
    write_tar(tmp_path / "there.tar", captioned(people(1, first=1)))
    with pytest.raises(UsageError, match="has changed"):
        refuse_changed(split)


def test_an_input_that_is_gone_is_no_row_and_the_job_goes_on_once_it_is_back(tmp_path, capsys):
    paths = [write_tar(tmp_path / f"{i}.tar", captioned(people(1, first=i))) for i in range(2)]
    data = paths[1].read_bytes()
    with after_task(1, paths[1].unlink):
        assert augment(paths, tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "1.tar was there when the job was planned, and cannot be read now" in error
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    paths[1].write_bytes(data)
    assert augment(paths, tmp_path / "out") == 0
    assert_complete(tmp_path / "out")


def test_an_error_that_stays_is_not_the_end_of_a_tar(tmp_path, capsys):
    write_tar(tmp_path / "a.tar", captioned(people(4)))
    with injected(always=("read",), only="a.tar"):
        assert augment(faulty(tmp_path / "a.tar"), tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert f"reading faulty://{tmp_path}/a.tar failed 10 times" in error
    assert not stats(tmp_path / "out")
    assert augment(faulty(tmp_path / "a.tar"), tmp_path / "out") == 0
    assert len(rows(tmp_path / "out")) == 4


def test_a_list_that_changes_while_it_is_planned_is_refused(tmp_path, monkeypatch):
    path = write_list(tmp_path / "in", NAMES)
    from face0.readers import uri_list

    def changing(uri: str) -> str:
        write_list(tmp_path / "in", NAMES[::-1])
        return "0" * 64

    monkeypatch.setattr(uri_list, "sha256", changing)
    with pytest.raises(UsageError, match=r"list\.csv changes while the job is planned"):
        plan([str(path)], Columns(), 2)


def test_rows_of_a_list_come_from_the_version_that_was_planned(tmp_path):
    path = write_list(tmp_path / "in", NAMES)
    splits = plan([str(path)], Columns(), 2)
    assert [row.key for split in splits for row in read(split, Columns())] == [name[:-4] for name in NAMES]


def test_a_model_that_changed_since_the_plan_is_not_rendered_with(tmp_path):
    model = write_model(tmp_path / "model")
    config = GenerateConfig(model=str(model), fingerprint=inspect_model(str(model)).facts.fingerprint)
    Generator(config, "cpu", 1, 1)
    write_model(model, tiny_pipeline(seed=1))
    with pytest.raises(UsageError, match="model has changed since the job was planned"):
        Generator(config, "cpu", 1, 1)


def test_a_shard_that_is_swapped_under_a_training_is_not_trained_on(shards, tmp_path):
    shutil.copytree(shards, tmp_path / "shards")
    data = FaceShards([str(tmp_path / "shards")], holdout=Holdout(count=0))
    batches = {"batch": 4, "resolution": 8, "slots": 1, "seed": 0}
    next(iter(data.batches(**batches)))
    for path in (tmp_path / "shards" / "shards").iterdir():
        path.write_bytes(path.read_bytes())
        os.utime(path, (1, 1))
    with pytest.raises(UsageError, match=r"parquet has changed since it was opened"):
        next(iter(data.batches(**batches)))
    with pytest.raises(UsageError, match=r"parquet has changed since it was opened"):
        list(iter_columns(replace(open_shards([str(shards)])[0], version="another"), ["key"]))
