"""Which column holds what."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.readers.columns import find_caption, find_image, find_key, find_url, text_schema
from face0.readers.planning import plan
from face0.readers.samples import Columns
from tests.fixtures.inputs import NONE


@pytest.mark.parametrize("kind", [pa.decimal128(38), pa.decimal128(20, 2), pa.uuid(), pa.uint64()])
def test_ids_of_databases_are_keys(kind):
    assert find_key(pa.schema([("Id ", kind), ("url", pa.string())]), None, "a.parquet") == "Id "


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ({"x": ["u"], "caption": ["c"]}, NONE, r"--url-column.*x \(string\)"),
        ({"url": ["u"], "words": ["c"]}, NONE, r"--caption-column.*words"),
        ({"url": ["u"], "caption": ["c"]}, Columns(caption="alt"), r"'alt'.*--caption-column.*url"),
        ({"url": ["u"], "caption": ["c"]}, Columns(key="nr"), r"'nr'.*--key-column"),
        ({"url": ["u"], "caption": ["c"]}, Columns(image="jpg"), r"'jpg'.*--image-column"),
        (
            {"url": ["u"], "caption": [{"en": "c"}]},
            Columns(caption="caption"),
            r"cannot be the caption.*--caption-column",
        ),
    ],
)
def test_columns_that_are_not_there_are_refused_at_planning(tmp_path, content, columns, message):
    pq.write_table(pa.table(content), tmp_path / "a.parquet")
    with pytest.raises(UsageError, match=message):
        plan([f"{tmp_path}/a.parquet"], columns, 10)


def test_columns_by_convention():
    schema = pa.schema(
        [
            ("Image", pa.string()),
            ("PNG", pa.binary()),
            ("TEXT", pa.string()),
            ("caption", pa.int32()),
            ("ID", pa.int64()),
        ]
    )
    assert find_image(schema, None, "f") == "PNG"
    assert find_caption(schema, None, "f") == "TEXT"
    assert find_url(schema, None, "f") == "Image"
    assert find_key(schema, None, "f") == "ID"
    assert find_key(text_schema(["a"]), None, "f") is None
    with pytest.raises(UsageError, match="2 columns"):
        find_url(text_schema(["url", "url"]), None, "f")
