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
