"""The failure rows of readers."""

import pyarrow as pa

from face0.readers.uris import name_of
from schemas.failures import Failure, Reason, Stage


def failed_row(key: str, source: str, reason: Reason, message: str) -> Failure:
    """The failure of a row that cannot be read."""
    return Failure(key=key, source=source, stage=Stage.READ, reason=reason, message=message)


def unread_image(key: str, source: str, name: str) -> Failure:
    """The failure of an image of a format that is known and not decoded."""
    message = f"{name} is an image of a format that is not decoded: convert it to JPEG or PNG"
    return failed_row(key, source, Reason.UNSUPPORTED, message)


def unreadable_rest(uri: str, error: BaseException | str, part: str = "remainder") -> Failure:
    """The failure of a file, or of a part of it, of which nobody can tell how many rows it held.

    Args:
        uri: of the file.
        error: what went wrong.
        part: names the part; keeps apart the keys of several broken parts of one file.
    """
    detail = error if isinstance(error, str) else _described(error)
    return failed_row(
        f"{name_of(uri)}#{part}",
        f"{uri}#{part}",
        Reason.UNREADABLE_INPUT,
        f"{name_of(uri)} cannot be read ({part}): {detail}",
    )


def _described(error: BaseException) -> str:
    """An error in words. Python's own of values ("invalid literal ...") quote what was read, and are left out."""
    kind = type(error).__name__
    quotes = isinstance(error, ValueError | TypeError | LookupError) and not isinstance(error, pa.ArrowException)
    return kind if quotes else f"{kind}: {error}"
