"""Tables from files that people write: Parquet, CSV, TSV, JSONL."""

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from face0.errors import StorageError, UsageError
from face0.io import storage
from face0.io.secrets import public


def read_rows(uri: str) -> pa.Table:
    """The rows of a Parquet, CSV, TSV or JSONL file, told by its name.

    Raises:
        UsageError: it is none of these, or cannot be read.
    """
    name = file_format(uri)
    try:
        with storage.open_uri(uri) as file:
            if name == "parquet":
                return pq.read_table(file)
            if name == "jsonl":
                return pa.json.read_json(file)
            if name in ("csv", "tsv"):
                delimiter = "," if name == "csv" else "\t"
                options = pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
                return pa.csv.read_csv(file, parse_options=options)
    except StorageError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"cannot read {uri}: {error}") from error
    raise UsageError(f"{uri}: give a file named .parquet, .csv, .tsv or .jsonl")


def file_format(uri: str) -> str:
    """The format that a file's name tells: its extension in lower case, ``jsonl`` for ``ndjson``.

    >>> file_format("s3://bucket/faces.v2.CSV"), file_format("rows.ndjson")
    ('csv', 'jsonl')
    """
    return public(uri).rsplit(".", 1)[-1].lower().replace("ndjson", "jsonl")


def read_text(uri: str) -> str:
    """The text of a UTF-8 file, without a byte order mark. Raises UsageError if it cannot be read as such."""
    try:
        with storage.open_uri(uri) as file:
            text: str = file.read().decode("utf-8-sig")
    except StorageError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {uri} as UTF-8 text: {error}") from error
    return text
