"""Output folders: what they refuse, how they go on after a kill, and when a job has succeeded."""

import json
from typing import Any

import pytest

from face0.errors import UsageError
from face0.tasks.output_folder import OutputFolder
from tests.fixtures.counting import Count, Killed, assert_trustworthy, do, finish, killed_at
from tests.fixtures.pictures import contents


def without_times(root: str) -> dict[str, Any]:
    found = contents(root)
    timed = {name for name in found if name.startswith("stats/") or name == "_SUCCESS"}
    ignored = ("seconds", "ended", "task_seconds")
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


# --- Damage, and what others have written


def damaged(folder: OutputFolder, name: str, data: bytes) -> None:
    """Overwrites a file of a finished output with two tasks."""
    finish(folder, Count(uri="a"), Count(uri="b"))
    with folder.write(name) as file:
        file.write(data)


STATS = "stats/count-a.json"
TORN = [b"", b"{", b'{"task_id": "count-a"', b"[]", b"null", b"\xff\xfe\x00", b'{"version": 1}', b'"' + b"x" * 100]


@pytest.mark.parametrize("data", TORN)
def test_a_torn_stats_file_counts_as_not_committed_and_is_named(root, caplog, data):
    folder = OutputFolder(root)
    damaged(folder, STATS, data)
    assert set(folder.intact()) == {"count-b"}
    assert f"{STATS} is broken" in caplog.text
    with pytest.raises(UsageError, match=rf"{STATS} is broken .*: run its job once more"):
        folder.committed()  # a reader does not leave it out unseen
    finish(folder, Count(uri="a"), Count(uri="b"))
    assert set(folder.committed()) == {"count-a", "count-b"}


@pytest.mark.parametrize(
    "change",
    [
        {"task_id": "count-b"},
        {"files": [{"name": "../outside", "rows": 1, "bytes": 1, "sha256": ""}]},
        {"files": [{"name": "/etc/hosts", "rows": 1, "bytes": 1, "sha256": ""}]},
        {"files": [{"name": "shards/../../outside", "rows": 1, "bytes": 1, "sha256": ""}]},
        {"files": "shards/a.parquet"},
        {"files": [{"name": "shards/a.parquet"}]},
        {"files": []},
        {"files": [{"name": "job.json", "rows": 30, "bytes": 1, "sha256": ""}]},
        {"files": [{"name": "shards/count-b.parquet", "rows": 30, "bytes": 1, "sha256": ""}]},
        {"ledger": {"read": 30, "written": 29}},
        {"ledger": {"read": 30, "written": 33, "failed": -3}},
        {"ledger": {"read": 29, "written": 26, "failed": 3}},
        {"reasons": {"empty": "3"}},
        {"totals": {"sum": None}},
        {"task": {}},
        {"ledger": {"read": "30"}},
        {"ledger": {"read": 1e300}},
        {"reasons": 3},
        {"task": None},
    ],
)
def test_stats_of_others_count_as_not_committed_and_what_they_name_is_left_alone(tmp_path, change):
    outside = tmp_path / "outside"
    outside.write_text("keep")
    folder = OutputFolder(str(tmp_path / "out"))
    finish(folder, Count(uri="a"), Count(uri="b"))
    damaged(folder, STATS, json.dumps({**json.loads(folder.read(STATS)), **change}).encode())
    assert set(folder.intact()) == {"count-b"}
    finish(folder, Count(uri="a"), Count(uri="b"))
    assert outside.read_text() == "keep"
    assert_trustworthy(str(tmp_path / "out"))


def test_stats_of_no_task_of_a_finished_job_are_told_of_and_passed_over(tmp_path, caplog):
    folder = OutputFolder(str(tmp_path))
    finish(folder, Count(uri="a"))
    (tmp_path / "stats" / "foreign.json").write_text("{}")
    assert set(folder.committed()) == {"count-a"}
    assert "stats/foreign.json is broken" in caplog.text
    folder.remove("_SUCCESS")
    with pytest.raises(UsageError, match=r"foreign\.json is broken"):
        folder.committed()


@pytest.mark.parametrize("data", [b"", b"PAR1", b"x" * 100_000])
def test_a_shard_of_another_size_is_made_again(root, caplog, data):
    folder = OutputFolder(root)
    damaged(folder, "shards/count-a.parquet", data)
    assert set(folder.intact()) == {"count-b"}
    assert f"shards/count-a.parquet has {len(data):,} bytes" in caplog.text
    assert folder.succeed(["count-a", "count-b"]) is None
    assert not folder.exists("_SUCCESS")  # it is gone the moment it is not true
    finish(folder, Count(uri="a"), Count(uri="b"))
    assert_trustworthy(root)


def test_a_shard_that_is_gone_is_made_again(root, caplog):
    folder = OutputFolder(root)
    finish(folder, Count(uri="a"), Count(uri="b"))
    folder.remove("failures/count-b.parquet")
    assert set(folder.intact()) == {"count-a"}
    assert "failures/count-b.parquet is not there" in caplog.text


@pytest.mark.parametrize("data", TORN)
def test_a_torn_job_record_is_named_with_the_remedy(root, data):
    folder = OutputFolder(root)
    damaged(folder, "job.json", data)
    with pytest.raises(UsageError, match=r"job\.json is no record of a job .*: restore it"):
        folder.check("count", {})


def test_without_its_job_record_an_output_is_nobodys(root):
    folder = OutputFolder(root)
    finish(folder, Count(uri="a"))
    folder.remove("job.json")
    with pytest.raises(UsageError, match=r"job\.json is gone, .*: restore it"):
        folder.check("count", {"of": "another"})


@pytest.mark.parametrize("data", TORN)
def test_a_torn_success_mark_is_none(root, data):
    folder = OutputFolder(root)
    damaged(folder, "_SUCCESS", data)
    assert not folder.finished
    finish(folder, Count(uri="a"), Count(uri="b"))
    assert folder.finished


def test_fields_of_a_later_version_are_carried(root):
    folder = OutputFolder(root)
    finish(folder, Count(uri="a"))
    for name in ("job.json", STATS, "_SUCCESS"):
        folder.write_text(name, json.dumps({**json.loads(folder.read(name)), "version": 9, "colour": {"of": "it"}}))
    folder.check("count", {})
    assert folder.finished
    (stats,) = folder.intact().values()
    folder.write_stats(stats)
    assert json.loads(folder.read(STATS))["colour"] == {"of": "it"}


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a//b", "./a", "a/\0"])
def test_names_that_lead_out_of_a_folder_are_refused(root, name):
    folder = OutputFolder(root)
    for use in (folder.open, folder.read, folder.remove, folder.exists, folder.files, folder.remove_folder):
        with pytest.raises(UsageError, match="is no name of a file in"):
            use(name)
