"""What made vectors: read from a file's metadata, compared, refused."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import yaml

from face0.errors import UsageError
from face0.io.json import differences

_PRESET = "preset"  # a name for what the other entries say in numbers, and no difference of its own
_EMBEDDER = "face0.embedder."  # prefix of the entries that say what made the vectors
# The YAML of a card, whose lines may end as an editor on Windows ends them
_FRONT = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class VectorMetadata:
    """What a Parquet file with vectors says of itself: the ``face0.*`` entries of its schema's metadata.

    Attributes:
        schema: name of its schema, as "face_bank"; None: it is no file of this library.
        version: of the schema.
        dim: length of a vector; 0 where it is not said.
        embedder: what made the vectors: name, SHA-256 of the weights, how faces are cut out.
    """

    schema: str | None
    version: str | None
    dim: int
    embedder: Mapping[str, str]

    @classmethod
    def of(cls, entries: Mapping[bytes, bytes] | None) -> "VectorMetadata":
        """Parses the key-value metadata of a Parquet footer or an Arrow schema."""
        text = {
            name.decode(errors="replace"): value.decode(errors="replace")
            for name, value in (entries or {}).items()
            if name.startswith(b"face0.")
        }
        dim = text.get("face0.embedding_dim", "")
        return cls(
            schema=text.get("face0.schema"),
            version=text.get("face0.version"),
            dim=int(dim) if dim.isdecimal() else 0,
            embedder={
                name.removeprefix(_EMBEDDER): value for name, value in text.items() if name.startswith(_EMBEDDER)
            },
        )

    @classmethod
    def of_card(cls, text: str) -> "VectorMetadata":
        """Parses the entry ``face0`` of a data card's YAML, as ``card_entry`` gives it; empty if it has none."""
        front = _FRONT.match(text)
        try:
            values = yaml.safe_load(front[1]) if front else None
        except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date that is none
            values = None
        entry = values.get("face0") if isinstance(values, dict) else None
        said = entry if isinstance(entry, dict) else {}
        embedder, dim = said.get("embedder"), said.get("embedding_dim")
        if not isinstance(embedder, dict) or not embedder or type(dim) is not int or dim <= 0:
            embedder, dim = {}, 0
        return cls(
            schema=said.get("schema"),
            version=said.get("version"),
            dim=dim,
            embedder={name: str(value) for name, value in embedder.items()},
        )

    def card_entry(self) -> dict[str, Any]:
        """What a data card says of the vectors, under ``face0``."""
        return {
            "schema": self.schema,
            "version": self.version,
            "embedding_dim": self.dim,
            "embedder": dict(self.embedder),
        }

    def refuse_other_schema(self, uri: str, schema: str, versions: Collection[str], remedy: str) -> None:
        """Raises UsageError unless the file is of a schema, in one of its versions; ``remedy`` says what to do."""
        if self.schema != schema or self.version not in versions:
            wanted = " or ".join(map(repr, sorted(versions)))
            raise UsageError(
                f"{uri} holds rows of {(self.schema, self.version)}, not of {schema!r}, version {wanted}: {remedy}"
            )


def with_embedder(schema: pa.Schema, embedder: Mapping[str, Any]) -> pa.Schema:
    """A schema whose metadata says too what made the vectors."""
    made_by = {f"{_EMBEDDER}{name}": str(value) for name, value in embedder.items()}
    return schema.with_metadata({**(schema.metadata or {}), **made_by})


def refuse_other_embedder(
    one: str,
    embedder: Mapping[str, Any],
    other: str,
    expected: Mapping[str, Any],
    remedy: str = "make the bank with the same one",
) -> None:
    """Raises UsageError if the vectors of two things are of different embedders.

    Args:
        one: a thing, named in words.
        embedder: what made its vectors, as in the metadata of a file. Empty values count as missing.
        other: what it is compared with, named in words.
        expected: what made the vectors of that.
        remedy: what to do, for the message.
    """
    made_by, wanted = (
        {name: str(value) for name, value in made.items() if value != "" and name != _PRESET}
        for made in (embedder, expected)
    )
    if differing := differences(made_by, wanted):
        raise UsageError(
            f"{one} and {other} are of different embedders ({'; '.join(differing)}), whose vectors cannot be "
            f"compared: {remedy}"
        )
