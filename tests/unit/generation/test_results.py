"""The output of generate, read back: what is committed, in one order, and what is no such output."""

from dataclasses import asdict

import pytest

from face0.errors import UsageError
from face0.generation.results import open_results, variants
from schemas.failures import Failure, Reason, Stage
from tests.fixtures.holdings import ANNA, commit_shard
from tests.fixtures.renders import Chunk, commit, row


def failure(key: str, reason: Reason = Reason.OUT_OF_MEMORY) -> Failure:
    return Failure(key=key, source="m", stage=Stage.RENDER, reason=reason, message="too large")


def test_rows_come_in_the_order_of_tasks_whichever_was_committed_first(root):
    commit(root, [row(2)], task=Chunk(task_id="b"), done=False)
    commit(root, [row(i) for i in (4, 3)], [failure("x")], task=Chunk(task_id="a"), done=False)
    results = open_results(root)
    assert results.table(["seed", "prompt"]).to_pylist() == [{"seed": i, "prompt": "a portrait"} for i in (4, 3, 2)]
    assert (results.rows, results.ledger.read, results.ledger.failed, results.finished) == (3, 4, 1, False)


def test_an_output_is_finished_once_it_has_succeeded(tmp_path):
    assert open_results(commit(str(tmp_path), [row(0)])).finished


def test_failures_are_counted_by_reason_and_read_as_far_as_wanted(tmp_path):
    lost = [failure("a", Reason.DENIED), failure("b"), failure("c")]
    results = open_results(commit(str(tmp_path), [], lost))
    assert list(results.reasons.items()) == [("out_of_memory", 2), ("denied", 1)]
    assert results.failures().to_pylist() == [asdict(each) for each in lost]
    assert results.failures(2)["key"].to_pylist() == ["a", "b"]
    with pytest.raises(UsageError, match="holds no image: all 3 requests failed"):
        results.table()


def test_what_is_no_output_of_generate_is_refused(tmp_path):
    with pytest.raises(UsageError, match="give the --output of face0 generate"):
        open_results(str(tmp_path))
    commit_shard(str(tmp_path / "shards"), "t", {"a": [ANNA]})
    with pytest.raises(UsageError, match="is the output of face0 augment"):
        open_results(str(tmp_path / "shards"))


def test_variants_name_the_settings_of_a_sweep_and_no_others(tmp_path):
    rows = [row(i, prompt=f"p{i}", c=c, steps=steps) for i, (c, steps) in enumerate([(1, 20), (0.4, 20), (0.4, 50)])]
    table = open_results(commit(str(tmp_path / "many"), rows)).table()
    assert variants(table) == ["c 1, steps 20", "c 0.4, steps 20", "c 0.4, steps 50"]
    assert variants(table.slice(0, 1)) == [""]
