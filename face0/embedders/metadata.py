"""What made vectors: read from a file's metadata, compared, refused."""

from collections.abc import Mapping
from typing import Any

from face0.errors import UsageError


def refuse_other_embedder(one: str, embedder: Mapping[str, Any], other: str, expected: Mapping[str, Any]) -> None:
    """Raises UsageError if two things, by their names in words, have vectors of different embedders."""
    names = sorted(embedder.keys() | expected.keys())
    a, b = ({name: str(each.get(name, "")) for name in names} for each in (embedder, expected))
    if differences := [f"{name}: {a[name]}, {b[name]}" for name in names if a[name] != b[name]]:
        raise UsageError(
            f"{one} and {other} are of different embedders ({'; '.join(differences)}), whose vectors cannot be "
            "compared: make the bank with the same one"
        )
