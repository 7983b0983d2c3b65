"""The data card of an output folder, README.md: what it holds, how it was made, and how other tools open it.

Its YAML says to Hugging Face which files are the data, so that ``datasets.load_dataset(OUT)`` takes these alone, and to
this library what made the embeddings of rows that other tools have filtered.
"""

import inspect
import json
import logging
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from face0.embedders.metadata import VectorMetadata
from face0.errors import StorageError
from face0.io.cards import CARD, is_edited, signed
from face0.io.folder import Folder
from face0.io.secrets import public_values
from face0.tasks.output_folder import OutputFolder
from schemas import description, face_shard, measures, requests
from schemas.job import BrokenRecord, Success

_TABLES = {"augment": "shards", "generate": "results"}  # by job, the folder that holds its rows
_DESCRIBED = {
    "shards": (face_shard, "face_shard"),
    "results": (requests, "RESULTS"),
    "measures": (measures, "MEASURES"),
}
_PICTURES = ("image", "thumbnail", "portrait")  # that are shown, where they are bytes
_EMBEDDING = "embedding"
_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
_log = logging.getLogger(__name__)


def write_data_card(folder: OutputFolder) -> None:
    """Writes the data card of an output of augment or generate as it is now, unless a user has edited the one there.

    Cheap: it reads ``job.json``, ``_SUCCESS``, and the stats and footer of one task.
    """
    job = folder.job
    table = _TABLES.get(job.job) if job is not None else None
    if job is None or table is None:
        return
    schema = _schema_of_rows(folder, table)
    _write(
        folder,
        f"{table}.md",
        front=_front(f"{table}/*.parquet", folder.success, schema),
        columns=list(_columns(schema, table)),
        dim=_dim(schema),
        job=job,
        config=list(_flat(public_values(job.config))),
        success=folder.success,
    )


def write_sweep_card(folder: Folder, title: str) -> None:
    """Writes the data card of an output of characters or audit, whose data are measures: see ``write_data_card``."""
    front = _front("measures.parquet", None, measures.MEASURES)
    _write(folder, "sweep.md", front=front, columns=list(_columns(measures.MEASURES, "measures")), title=title)


def features(schema: pa.Schema) -> list[dict[str, Any]]:
    """The columns of a schema as the YAML of Hugging Face's ``dataset_info`` has them; pictures are ``image``."""
    return [_feature(field, picture=field.name in _PICTURES) for field in schema]


def _feature(field: pa.Field, picture: bool = False) -> dict[str, Any]:
    return {"name": field.name, **_typed("image" if picture and pa.types.is_binary(field.type) else field.type)}


def _typed(kind: pa.DataType | str) -> dict[str, Any]:
    """A type as entries of a feature."""
    if isinstance(kind, str):
        return {"dtype": kind}
    if pa.types.is_struct(kind):
        return {"struct": [_feature(field) for field in kind]}
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = _typed(kind.value_type)
        of = inner.get("dtype") or inner.get("struct") or inner
        return {"list": of, "length": kind.list_size} if pa.types.is_fixed_size_list(kind) else {"list": of}
    return {"dtype": {"double": "float64"}.get(str(kind), description.type_name(kind))}


def _front(data: str, success: Success | None, schema: pa.Schema | None) -> dict[str, Any]:
    """What stands in the YAML of the card."""
    front: dict[str, Any] = {
        "license": "other",
        "tags": ["face0", "faces"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": data}]}],
    }
    if schema is not None:
        front["dataset_info"] = {"features": features(schema)}
        vectors = VectorMetadata.of(schema.metadata)
        if vectors.dim:
            front["face0"] = vectors.card_entry()
    if success is not None:
        front["size_categories"] = [_size(success.ledger.written)]
    return front


def _size(rows: int) -> str:
    """How Hugging Face names a number of rows."""
    place = bisect_right([1000 * 10**power for power in range(len(_SIZES))], rows)
    if place == len(_SIZES):
        return f"n>{_SIZES[-1]}"
    return f"{_SIZES[place - 1]}<n<{_SIZES[place]}" if place else f"n<{_SIZES[0]}"


def _schema_of_rows(folder: OutputFolder, table: str) -> pa.Schema | None:
    """The schema of the rows that are there, by the first task that is committed; None: none is."""
    for task_id in sorted(folder.stats_names()):
        try:
            names = [file.name for file in folder.stats(task_id).files if file.name.startswith(f"{table}/")]
            if names:
                with folder.open(names[0]) as file:
                    return pq.read_schema(file)
        except StorageError:
            raise
        except (BrokenRecord, OSError, pa.ArrowException):
            continue  # damaged: the job does it again
    return None


def _columns(schema: pa.Schema | None, table: str) -> Iterator[tuple[str, str, str]]:
    """Path, type and meaning of each column."""
    module, name = _DESCRIBED[table]
    meanings = description.field_comments(inspect.getsource(module), name)
    for path, field in description.flat_fields(schema or []):
        yield path, description.type_name(field.type), meanings.get(field.name, "a column of the input")


def _dim(schema: pa.Schema | None) -> int | None:
    """Length of the vectors of a shard that can be searched as it is; None: it has no such column."""
    if schema is None or _EMBEDDING not in schema.names:
        return None
    return schema.field(_EMBEDDING).type.list_size


def _flat(record: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Lines ``name = JSON`` of all values that are not null. JSON escapes what would end the block around them."""
    for name, value in sorted(record.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        elif value is not None:
            yield f"{above}{name} = {json.dumps(value, ensure_ascii=False)}"


def _write(folder: Folder, template: str, front: Mapping[str, Any], **values: Any) -> None:
    """Writes a card, if it is another than the one there, and nobody has edited that."""
    text = _MARKDOWN.get_template(template).render(front=yaml.safe_dump(front, sort_keys=False), **values)
    there = folder.read(CARD).decode(errors="replace") if folder.exists(CARD) else None
    if there is not None and is_edited(there):
        _log.info("%s has been edited, and stays as it is", folder.join(CARD))
    elif there != (card := signed(text)):
        folder.write_text(CARD, card)


def _cell(text: str) -> str:
    """A text as a cell of a table in Markdown."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _code(text: Any) -> str:
    """A text between back-ticks, whatever is in it."""
    shown = str(text).replace("|", "\\|").replace("\n", " ")
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def _markdown() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__, "templates/cards"),
        autoescape=False,  # it is no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(cell=_cell, code=_code)
    return environment


_MARKDOWN = _markdown()
