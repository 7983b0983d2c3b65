"""A corpus read by a pipeline."""

from dataclasses import dataclass

import apache_beam as beam
import numpy as np
from apache_beam.testing.util import assert_that

from face0.faces.corpus import Corpus, read_corpus
from face0.shards.files import open_shards
from face0.shards.rows import FaceRow, to_batch
from face0.tasks.output_folder import OutputFolder
from pipelines.face_space import ReadCorpus
from pipelines.options import pipeline_options
from schemas.face_shard import face_shard
from tests.fixtures.spaces import EMBEDDER, row


@dataclass(frozen=True)
class Task:
    task_id: str
    uri: str = "made up"


def commit(folder: str, rows: list[FaceRow], dim: int, task: str) -> None:
    with OutputFolder(folder).commit(Task(task)) as output:
        shard = output.table("shards", face_shard(dim, EMBEDDER))
        output.ledger.read = output.ledger.written = len(rows)
        if rows:
            shard.write(to_batch(rows, face_shard(dim, EMBEDDER)))


def test_shards_are_merged_by_a_pipeline(tmp_path):
    rng = np.random.default_rng(0)
    rows = [row(f"r{i}", rng.normal(size=3), dim=3) for i in range(900)]
    for task, part in {"a": rows[:300], "b": rows[300:310], "c": [], "d": rows[310:]}.items():
        commit(str(tmp_path), part, 3, task)
    shards = open_shards([str(tmp_path)])
    expected = np.array([each.embeddings[0].astype(np.float16) for each in rows], np.float64)

    def check(corpora: list[Corpus]) -> None:
        (found,) = corpora
        assert found.faces == 900
        assert np.allclose(found.moments.mean, expected.mean(axis=0), atol=1e-12)
        assert np.allclose(found.moments.covariance(), np.cov(expected.T), atol=1e-12)
        assert len(found.sample.rows) == 50

    with beam.Pipeline(options=pipeline_options({})) as pipeline:
        assert_that(pipeline | beam.Create(shards) | ReadCorpus(3, 50), check)
    assert [read_corpus(shard, 50).faces for shard in shards] == [300, 10, 0, 590]
