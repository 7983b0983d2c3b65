"""JSON values of records."""

import json
from dataclasses import asdict
from typing import Any


def to_json_values(record: Any) -> Any:
    """A dataclass as the JSON values that it becomes in a file."""
    return json.loads(json.dumps(asdict(record)))
