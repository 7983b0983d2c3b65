"""JSON values of records, and what differs between two of them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from face0.io import storage
from face0.io.retries import retried
from face0.io.secrets import public_values


def to_json_values(record: Any) -> Any:
    """A dataclass as the JSON values that it becomes in a file: URIs have their public form."""
    return public_values(json.loads(json.dumps(asdict(record))))


def differences(one: Mapping[str, Any], other: Mapping[str, Any], form: str = "{}, {}") -> list[str]:
    """What differs between two records, in words: ``name: value, other value``, sorted by name.

    Records within them are compared field by field, under names as ``columns.image``.

    Args:
        one: a record. What it lacks counts as None.
        other: what it is compared with.
        form: how the two values stand, as for ``str.format``.
    """
    found = []
    for name in sorted(one.keys() | other.keys()):
        left, right = one.get(name), other.get(name)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            found += [f"{name}.{difference}" for difference in differences(left, right, form)]
        elif left != right:
            found.append(f"{name}: {form.format(left, right)}")
    return found


def write_json(uri: str, record: Any) -> None:
    """Writes JSON values as a file of any file system, indented; URIs in their public form."""
    fs, path = storage.filesystem(uri)
    data = (json.dumps(public_values(record), indent=2) + "\n").encode()
    retried(f"writing {uri}", lambda: fs.pipe_file(path, data))
