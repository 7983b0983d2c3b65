"""JSON values of records."""

import json
from dataclasses import asdict
from typing import Any


def as_json(record: Any) -> Any:
    """A dataclass as the JSON values that it becomes in a file."""
    return json.loads(json.dumps(asdict(record)))
