"""The unit of work: tasks commit whole or not at all, resume where they stood, and account for every row."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.io import storage
from face0.io.json import to_json_values
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import select
from face0.tasks.task_output import ROW_GROUP
from schemas.failures import Failure, Reason, Stage
from schemas.job import Ledger
from tests.fixtures.pictures import (
    assert_complete,
    assert_same_rows,
    augment,
    captioned,
    contents,
    original,
    people,
    picture,
    rows,
    stats,
    success,
    write_tar,
)

NUMBERS = pa.schema([pa.field("n", pa.int64())])


@dataclass(frozen=True, kw_only=True)
class Count:
    """A task: to write the numbers below ``stop``, of which every tenth fails."""

    uri: str = "input"
    stop: int = 30
    size: int = 100

    @property
    def task_id(self) -> str:
        return f"count-{self.uri}"


class Killed(BaseException):
    """Ends a run as a signal does: nothing catches it."""


def do(folder: OutputFolder, task: Count) -> None:
    with folder.commit(task) as output:
        table = output.table("shards", NUMBERS)
        for n in range(task.stop):
            output.ledger.read += 1
            if n % 10 == 9:
                output.fail(failure(str(n)))
            else:
                output.ledger.written += 1
                output.totals["sum"] += n
                table.write(pa.RecordBatch.from_pylist([{"n": n}], schema=NUMBERS))


def failure(key: str, reason: Reason = Reason.EMPTY) -> Failure:
    return Failure(key=key, source=f"input#{key}", stage=Stage.DECODE, reason=reason, message="no bytes")


def finish(folder: OutputFolder, *tasks: Count) -> None:
    """A job over the tasks, as ``pipelines.job`` runs it."""
    folder.check("count", {})
    runs, _ = select(tasks, folder.committed())
    if runs:
        folder.prepare("count", {})
        for run in runs:
            do(folder, run.task)
    assert folder.succeed(task.task_id for task in tasks) is not None


def assert_trustworthy(root: str) -> None:
    """What the stats name is there, and is what they say."""
    found = contents(root)
    for name, text in found.items():
        for file in json.loads(text)["files"] if name.startswith("stats/") else ():
            assert len(found[file["name"]]) == file["bytes"]
            assert pq.read_metadata(io.BytesIO(found[file["name"]])).num_rows == file["rows"]


# --- Commit


def test_a_task_is_committed_with_its_counts(root):
    finish(OutputFolder(root), Count(uri="a"), Count(uri="b", stop=12))
    assert_complete(root)
    assert [row["n"] for row in rows(root)][:10] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert rows(root, "failures")[0] == {**asdict(failure("9")), "stage": "decode", "reason": "empty"}
    assert stats(root)[0]["ledger"] == asdict(Ledger(read=30, written=27, failed=3))
    assert stats(root)[0]["task"] == {"uri": "a", "stop": 30, "size": 100}
    whole = success(root)
    assert (whole["tasks"], whole["reasons"]) == (2, {"empty": 4})
    assert whole["totals"]["sum"] == sum(row["n"] for row in rows(root))
    assert whole["totals"]["bytes"] == sum(len(v) for k, v in contents(root).items() if k.endswith(".parquet"))


def test_rows_come_in_row_groups(tmp_path):
    finish(OutputFolder(str(tmp_path)), Count(stop=1000))
    groups = pq.read_metadata(tmp_path / "shards" / "count-input.parquet")
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [256, 256, 256, 132]
    assert ROW_GROUP == 256


def test_a_task_without_rows_has_its_files(root):
    finish(OutputFolder(root), Count(stop=0))
    assert_complete(root)
    assert len(contents(root)) == 5


def commit_and_raise(folder: OutputFolder, error: BaseException) -> None:
    with folder.commit(Count()) as output:
        table = output.table("shards", NUMBERS)
        for n in range(3 * ROW_GROUP):
            output.ledger.read += 1
            output.ledger.written += 1
            table.write(pa.RecordBatch.from_pylist([{"n": n}], schema=NUMBERS))
        raise error


@pytest.mark.parametrize("error", [ValueError("no"), Killed()])
def test_a_task_that_raises_commits_nothing(root, error):
    with pytest.raises(type(error)):
        commit_and_raise(OutputFolder(root), error)
    assert contents(root) == {}


@pytest.mark.parametrize("error", [ValueError("no"), Killed()])
def test_a_task_that_raises_leaves_its_earlier_commit(root, error):
    if root.startswith("memory:"):
        pytest.skip("fsspec's memory file system empties a file as it opens it")
    finish(OutputFolder(root), Count())
    before = contents(root)
    with pytest.raises(type(error)):
        commit_and_raise(OutputFolder(root), error)
    assert contents(root) == before


def lose_a_row(folder: OutputFolder) -> None:
    with folder.commit(Count()) as output:
        output.ledger.read += 1


def test_a_task_that_lost_a_row_is_not_committed(root):
    with pytest.raises(AssertionError, match="lost rows"):
        lose_a_row(OutputFolder(root))
    assert contents(root) == {}


# --- Killed between any two steps


@contextmanager
def killed_at(step: int, root: str) -> Iterator[Callable[[], int]]:
    """Raises at one of the steps that a reader can see: before or after a file shows, before or after one goes."""
    steps = 0

    def tick() -> None:
        nonlocal steps
        steps += 1
        if steps - 1 == step:
            raise Killed

    write_whole, fs = storage.write_whole, type(storage.filesystem(root)[0])
    remove = fs.rm_file

    @contextmanager
    def stepwise(root: str, name: str) -> Iterator[storage.HashingWriter]:
        with write_whole(root, name) as file:
            yield file
            tick()
        tick()

    def remove_stepwise(self: Any, *args: Any, **options: Any) -> None:
        tick()
        remove(self, *args, **options)
        tick()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "write_whole", stepwise)
        patch.setattr(fs, "rm_file", remove_stepwise)
        yield lambda: steps


def without_times(root: str) -> dict[str, Any]:
    found = contents(root)
    timed = {name for name in found if name.startswith("stats/") or name == "_SUCCESS"}
    ignored = ("seconds", "task_seconds")
    return {
        name: {k: v for k, v in json.loads(data).items() if k not in ignored} if name in timed else data
        for name, data in found.items()
    }


def test_a_job_killed_at_any_step_goes_on(root):
    tasks = [Count(uri="a"), Count(uri="b", stop=7)]
    with killed_at(-1, root) as steps:
        finish(OutputFolder(f"{root}/undisturbed"), *tasks)
        total = steps()
    assert total >= 16  # job.json, _SUCCESS, and three files of each task: before and after each
    expected = without_times(f"{root}/undisturbed")
    for step in range(total):
        folder = f"{root}/{step}"
        with pytest.raises(Killed), killed_at(step, root):
            finish(OutputFolder(folder), *tasks)
        assert_trustworthy(folder)
        finish(OutputFolder(folder), *tasks)
        assert without_times(folder) == expected, f"killed at step {step} of {total}"


def test_a_task_that_runs_again_and_is_killed_never_has_stats_of_other_files(root):
    """As in a retry, whose second commit has other rows than the first."""
    if root.startswith("memory:"):
        pytest.skip("fsspec's memory file system empties a file as it opens it")
    steps, step = 1, 0
    while step < steps:
        folder = f"{root}/{step}"
        finish(OutputFolder(folder), Count())
        with killed_at(-1, root) as count:
            do(OutputFolder(f"{folder}/dry"), Count(stop=50))
            do(OutputFolder(f"{folder}/dry"), Count(stop=50))
            steps = count() // 2
        with pytest.raises(Killed), killed_at(step, root):
            do(OutputFolder(folder), Count(stop=50))
        assert_trustworthy(folder)
        do(OutputFolder(folder), Count(stop=50))
        assert_trustworthy(folder)
        assert len(rows(folder)) == 45
        step += 1
    assert steps >= 6


# --- Success, resume, refusal


def test_success_waits_for_every_task(tmp_path):
    folder = OutputFolder(str(tmp_path))
    do(folder, Count(uri="a"))
    assert folder.succeed(["count-a", "count-b"]) is None
    assert not (tmp_path / "_SUCCESS").exists()
    do(folder, Count(uri="b"))
    assert folder.succeed(["count-a", "count-b"]) is not None


def test_success_is_refused_to_a_ledger_that_does_not_balance(tmp_path):
    folder = OutputFolder(str(tmp_path))
    do(folder, Count())
    path = tmp_path / "stats" / "count-input.json"
    record = json.loads(path.read_text())
    record["ledger"]["read"] += 1
    path.write_text(json.dumps(record))
    assert folder.succeed(["count-input"]) is None
    assert not (tmp_path / "_SUCCESS").exists()


def test_success_is_taken_away_while_there_is_work(tmp_path):
    folder = OutputFolder(str(tmp_path))
    finish(folder, Count())
    folder.prepare("count", {})
    assert not (tmp_path / "_SUCCESS").exists()


def test_a_changed_configuration_is_refused_with_the_difference(root):
    folder = OutputFolder(root)
    folder.prepare("count", {"resolution": 512, "kept": [1, 2]})
    before = contents(root)
    folder.check("count", {"resolution": 512, "kept": [1, 2]})
    with pytest.raises(UsageError) as refused:
        folder.check("count", {"resolution": 256, "kept": [1, 2]})
    assert "resolution: 512 there, 256 asked for" in str(refused.value)
    assert "kept" not in str(refused.value)
    assert "another --output" in str(refused.value)
    with pytest.raises(UsageError, match="job: 'count' there, 'other' asked for"):
        folder.check("other", {"resolution": 512, "kept": [1, 2]})
    assert contents(root) == before


def test_only_what_is_left_is_selected(tmp_path):
    folder = OutputFolder(str(tmp_path))
    tasks = [Count(uri="c"), Count(uri="a"), Count(uri="b")]
    do(folder, tasks[1])
    runs, stale = select(tasks, folder.committed())
    assert [(run.task, run.retry) for run in runs] == [(tasks[0], ()), (tasks[2], ())]
    assert stale == []


def test_only_tasks_with_the_reason_are_retried(tmp_path):
    folder = OutputFolder(str(tmp_path))
    tasks = [Count(uri="a"), Count(uri="b", stop=5)]
    for task in tasks:
        do(folder, task)
    assert select(tasks, folder.committed(), [Reason.FETCH_404])[0] == []
    runs, _ = select(tasks, folder.committed(), [Reason.EMPTY, Reason.FETCH_404])
    assert [(run.task, run.retry) for run in runs] == [(tasks[0], (Reason.EMPTY,))]


@pytest.mark.parametrize("retry", [(), (Reason.EMPTY,)])
def test_an_input_that_changed_is_refused(tmp_path, retry):
    folder = OutputFolder(str(tmp_path))
    do(folder, Count(uri="a"))
    with pytest.raises(UsageError, match="a has changed since its task count-a was committed: restore it"):
        select([replace(Count(uri="a"), size=101)], folder.committed(), retry)


def test_an_input_that_is_cut_into_other_tasks_is_refused(tmp_path):
    folder = OutputFolder(str(tmp_path))
    do(folder, Count(uri="a"))
    committed = {"count-a-00": replace(folder.committed()["count-a"], task_id="count-a-00")}
    with pytest.raises(UsageError, match="a has changed since its task count-a-00 was committed"):
        select([Count(uri="a")], committed)


def test_a_task_is_told_as_json(tmp_path):
    assert to_json_values(Count()) == {"uri": "input", "stop": 30, "size": 100}


# --- The whole job: inputs that change, and failures that pass


def list_of_images(folder: Path, present: set[str]) -> Path:
    """A list of images, those that are present beside it; and rows that fail whatever is there."""
    images = {
        "p0.jpg": picture("astronaut"),
        "p1.jpg": picture("admiral"),
        "coffee.jpg": picture("coffee"),
        "p2.jpg": picture("astronaut", shift=9),
        "cat.jpg": picture("chelsea"),
        "p3.jpg": picture("admiral", shift=9),
        "broken.jpg": picture("admiral")[:3000],
        "p4.jpg": picture("astronaut", shift=15),
    }
    folder.mkdir(exist_ok=True)
    for name in present & images.keys():
        (folder / name).write_bytes(images[name])
    lines = ["url,caption,key"]
    for name in images:
        lines.append(f"{name},a photo,{name[:-4]}")
        lines.append(f",a photo without an image,{name[:-4]}")  # fails under a key that a good row has too
    lines.insert(5, "p1.jpg,a second row of one key,p1")
    lines.append("p0.jpg,,wordless")
    path = folder / "list.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


ALL = {"p0.jpg", "p1.jpg", "coffee.jpg", "p2.jpg", "cat.jpg", "p3.jpg", "broken.jpg", "p4.jpg"}


@pytest.mark.parametrize("keep", [(), ("--keep-faceless",)])
@pytest.mark.parametrize("rows_per_task", ["100", "5"])
def test_a_retry_of_what_failed_is_merged_as_if_nothing_had_happened(tmp_path, rows_per_task, keep):
    options = ["--rows-per-task", rows_per_task, "--max-failures", "100%", *keep]
    path = list_of_images(tmp_path / "in", ALL - {"p1.jpg", "cat.jpg", "p4.jpg", "broken.jpg"})
    assert augment(path, tmp_path / "out", *options) == 0
    assert success(tmp_path / "out")["reasons"] == {
        "duplicate_key": 1, "fetch_404": 4, "no_caption": 1, "no_image": 8
    }  # fmt: skip
    list_of_images(tmp_path / "in", ALL)
    assert augment(path, tmp_path / "out", *options, "--retry-failed", "fetch_404") == 0
    assert augment(path, tmp_path / "undisturbed", *options) == 0
    assert_complete(tmp_path / "out")
    assert_complete(tmp_path / "undisturbed")
    assert_same_rows(rows(tmp_path / "out"), rows(tmp_path / "undisturbed"))
    assert rows(tmp_path / "out", "failures") == rows(tmp_path / "undisturbed", "failures")
    for name in ("ledger", "reasons", "tasks"):
        assert success(tmp_path / "out")[name] == success(tmp_path / "undisturbed")[name]
    assert success(tmp_path / "out")["totals"]["faces"] == success(tmp_path / "undisturbed")["totals"]["faces"]
    assert success(tmp_path / "out")["ledger"] == asdict(
        Ledger(read=18, written=7, failed=11) if keep else Ledger(read=18, written=5, no_face=2, failed=11)
    )
    assert success(tmp_path / "out")["reasons"]["truncated"] == 1


def test_a_retry_that_fails_again_stays_as_it_is(tmp_path):
    path = list_of_images(tmp_path / "in", ALL - {"p1.jpg"})
    assert augment(path, tmp_path / "out", "--max-failures", "100%") == 0
    expected = rows(tmp_path / "out"), rows(tmp_path / "out", "failures"), success(tmp_path / "out")["ledger"]
    for _ in range(2):
        assert augment(path, tmp_path / "out", "--max-failures", "100%", "--retry-failed", "fetch_404") == 0
        assert_complete(tmp_path / "out")
        found = rows(tmp_path / "out"), rows(tmp_path / "out", "failures"), success(tmp_path / "out")["ledger"]
        assert found == expected


def test_kept_rows_of_a_retry_are_not_computed_again(tmp_path):
    """Not even read: their images may be gone by now."""
    path = list_of_images(tmp_path / "in", ALL - {"p1.jpg"})
    assert augment(path, tmp_path / "out", "--max-failures", "100%") == 0
    before = rows(tmp_path / "out")
    for name in ALL:
        (tmp_path / "in" / name).unlink(missing_ok=True)
    list_of_images(tmp_path / "in", {"p1.jpg"})
    assert augment(path, tmp_path / "out", "--max-failures", "100%", "--retry-failed", "fetch_404") == 0
    after = rows(tmp_path / "out")
    assert [row["key"] for row in after] == ["p0", "p1", "p2", "p3", "p4"]
    assert [row for row in after if row["key"] != "p1"] == before
    assert success(tmp_path / "out")["ledger"]["no_face"] == 2


def test_a_retry_over_a_list_whose_rows_changed_places_loses_nothing_unseen(tmp_path, capsys):
    """The list has its old size and other rows: what was written does not fit it any more."""
    path = list_of_images(tmp_path / "in", ALL - {"p1.jpg"})
    assert augment(path, tmp_path / "out", "--max-failures", "100%") == 0
    before = contents(tmp_path / "out")
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(lines)]) + "\n")
    capsys.readouterr()
    assert augment(path, tmp_path / "out", "--max-failures", "100%", "--retry-failed", "fetch_404") == 2
    assert "list.csv has changed since its task" in capsys.readouterr().err
    after = contents(tmp_path / "out")
    assert {k: v for k, v in before.items() if k != "_SUCCESS"} == {k: v for k, v in after.items() if k != "_SUCCESS"}


def spoil_tar(whole: bytes) -> bytes:
    return whole[: len(whole) * 2 // 3]


def spoil_footer(whole: bytes) -> bytes:
    return whole[:-200]


def write_parquet(path: Path) -> Path:
    table = pa.table(
        {"image": [data for _, data in people(6)], "caption": ["a photo"] * 6, "key": [name for name, _ in people(6)]}
    )
    pq.write_table(table, path, row_group_size=2)
    return path


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_an_input_that_was_mended_is_taken_up(tmp_path, capsys, kind):
    whole, spoil = {
        "tar": (lambda: write_tar(tmp_path / "a.tar", captioned(people(6))).read_bytes(), spoil_tar),
        "parquet": (lambda: write_parquet(tmp_path / "a.parquet").read_bytes(), spoil_footer),
    }[kind]
    other = write_tar(tmp_path / "other.tar", captioned(people(2, first=20)))
    path = tmp_path / f"a.{kind}"
    data = whole()
    path.write_bytes(spoil(data))
    options = ["--max-failures", "100%", "--rows-per-task", "4"]
    assert augment([path, other], tmp_path / "out", *options) == 1  # nobody can tell how many rows were lost
    assert success(tmp_path / "out")["reasons"] == {"unreadable_input": 1}
    assert_complete(tmp_path / "out")
    # Nothing was mended yet: nothing changes
    before = rows(tmp_path / "out")
    assert augment([path, other], tmp_path / "out", *options, "--retry-failed", "unreadable_input") == 1
    assert rows(tmp_path / "out") == before
    path.write_bytes(data)
    capsys.readouterr()
    assert augment([path, other], tmp_path / "out", *options) == 2
    assert "has changed since its task" in capsys.readouterr().err
    assert augment([path, other], tmp_path / "out", *options, "--retry-failed", "unreadable_input") == 0
    assert augment([path, other], tmp_path / "undisturbed", *options) == 0
    assert_complete(tmp_path / "out")
    assert contents(tmp_path / "out").keys() == contents(tmp_path / "undisturbed").keys()
    assert rows(tmp_path / "out") == rows(tmp_path / "undisturbed")
    assert len(rows(tmp_path / "out")) == 8
    assert success(tmp_path / "out")["ledger"] == success(tmp_path / "undisturbed")["ledger"]


def test_an_input_that_changed_or_was_cut_otherwise_is_refused_by_the_job(tmp_path, capsys):
    path = list_of_images(tmp_path / "in", ALL)
    options = ["--rows-per-task", "5", "--max-failures", "100%"]
    assert augment(path, tmp_path / "out", *options) == 0
    before = contents(tmp_path / "out")
    text = path.read_text()
    for changed in (
        text + "p0.jpg,one more,last\n",
        text.replace("a photo,p0", "a photograph,p0"),
        text[: len(text) // 2],
    ):
        path.write_text(changed)
        capsys.readouterr()
        assert augment(path, tmp_path / "out", *options) == 2
        error = capsys.readouterr().err
        assert "list.csv has changed since its task" in error
        assert error.count("\n") == 1
    path.write_text(text)
    assert augment(path, tmp_path / "out", "--rows-per-task", "6", "--max-failures", "100%") == 2
    assert "rows_per_task: 5 there, 6 asked for" in capsys.readouterr().err
    assert contents(tmp_path / "out") == before
    assert augment(path, tmp_path / "out", *options) == 0


def test_a_new_file_under_a_pattern_is_added(tmp_path):
    write_tar(tmp_path / "a.tar", captioned(people(2)))
    assert augment(tmp_path / "*.tar", tmp_path / "out") == 0
    before = {k: v for k, v in contents(tmp_path / "out").items() if k != "_SUCCESS"}
    write_tar(tmp_path / "b.tar", captioned([("coffee.png", original("coffee")), *people(1, first=5)]))
    assert augment(tmp_path / "*.tar", tmp_path / "out") == 0
    assert before.items() <= contents(tmp_path / "out").items()
    assert_complete(tmp_path / "out")
    assert success(tmp_path / "out")["ledger"] == asdict(Ledger(read=4, written=3, no_face=1))
