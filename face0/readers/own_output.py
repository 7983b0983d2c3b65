"""Whether a job would read what it writes."""

import re
from collections.abc import Iterable

from fsspec.utils import glob_translate

from face0.errors import UsageError
from face0.io.braces import expand_braces
from face0.io.secrets import public
from face0.io.storage import PARTIAL_DIR, filesystem, is_below, is_folder, join
from face0.readers.access import is_web

_WRITTEN = ("shards", "failures", "stats", PARTIAL_DIR)
_SHARD = "shards/input-00000000-0123456789.parquet"


def refuse_own_output(inputs: Iterable[str], files: Iterable[str], output: str) -> None:
    """Refuses an output that lies among the inputs, by any spelling or link.

    Args:
        inputs: as they were given.
        files: and folders, that are there by these names.
        output: URI of the folder.

    Raises:
        UsageError: the output lies in a folder that is an input, an input lies in what the job writes, or a pattern
            matches what it will write.
    """
    for uri in files:
        is_input = any(is_below(uri, join(output, name)) for name in _WRITTEN)
        if is_input or (not is_web(uri) and is_below(output, uri) and is_folder(uri)):
            raise _refusal(f"the output {output} and the input {uri} lie within each other", output)
    shard = filesystem(join(output, _SHARD))[1]
    for pattern in inputs:
        for name in expand_braces(pattern):
            if any(character in name for character in "*?[") and re.match(glob_translate(filesystem(name)[1]), shard):
                raise _refusal(f"the pattern {pattern} matches what is written to the output {output}", output)


def _refusal(what: str, output: str) -> UsageError:
    return UsageError(
        f"{public(what)}, so that what the job writes would be read as its input: give an --output elsewhere than "
        f"{public(output)}, or other inputs"
    )
