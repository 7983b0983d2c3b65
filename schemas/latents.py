"""The record beside a file of latents: whose photographs these are."""

import json
from collections.abc import Sequence

LATENTS = ".latents"  # ending of the file; the record ends in .json


def record_of(name: str) -> str:
    """The name of the record of a file of latents.

    >>> record_of("0f3a.latents")
    '0f3a.json'
    """
    return f"{name.removesuffix(LATENTS)}.json"


def latents_record(shards: Sequence[str]) -> str:
    """The record as JSON.

    Args:
        shards: URIs of the folders of face shards.
    """
    return json.dumps({"version": 1, "shards": list(shards)}, indent=1)


def shards_of_record(text: str | bytes) -> list[str]:
    """Parses ``latents_record``'s output: the URIs; none where it is not whole."""
    try:
        return [str(uri) for uri in json.loads(text)["shards"]]
    except (ValueError, TypeError, KeyError):
        return []
