"""Names in tables of earlier versions."""

import pyarrow as pa

from face0.tasks.kept_names import without_content
from schemas.failures import FAILURES

LONG = "x" * 5000


def test_messages_of_failures_are_bounded_and_columns_of_the_user_are_not():
    record = dict.fromkeys(FAILURES.names, "a") | {"message": LONG}
    assert len(without_content(pa.Table.from_pylist([record], FAILURES))["message"][0].as_py()) < len(LONG)
    shard = pa.table({"key": ["a"], "source": ["s3://b/a.jpg"], "message": [LONG]})
    assert without_content(shard) is shard


def test_names_of_shards_are_bounded():
    shard = pa.table({"key": [LONG], "source": ["data:image/jpeg;base64," + "Ab3" * 100]})
    kept = without_content(shard).to_pylist()[0]
    assert len(kept["key"]) < 300
    assert kept["source"].startswith("data:image/jpeg;base64,sha256-")
