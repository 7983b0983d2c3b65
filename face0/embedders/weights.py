"""Model files: found, checked by digest, read into memory."""

import hashlib

from face0.errors import StorageError, UsageError
from face0.io import storage


def read_weights(uri: str, sha256: str | None, missing: str) -> tuple[bytes, str]:
    """The bytes of a model file and their SHA-256.

    Args:
        uri: any fsspec URI.
        sha256: the digest that it must have; None to accept what is there.
        missing: the remedy told when there is no such file.

    Raises:
        UsageError: there is no such file, or its digest is another.
    """
    data = read_file(uri, missing)
    digest = hashlib.sha256(data).hexdigest()
    refuse_other_digest(uri, digest, sha256)
    return data, digest


def read_file(uri: str, missing: str) -> bytes:
    """The bytes of a model file. Raises UsageError with the remedy ``missing`` if there is no such file."""
    try:
        with storage.open_uri(uri) as file:
            return file.read()
    except StorageError:
        raise
    except (OSError, UsageError) as error:
        raise UsageError(f"cannot read the weights {uri}: {missing}") from error


def refuse_other_digest(uri: str, digest: str, sha256: str | None) -> None:
    """Raises UsageError unless weights have the SHA-256 that they must have; None: any."""
    if sha256 is not None and digest != sha256.lower():
        raise UsageError(
            f"the weights {uri} have SHA-256 {digest}, not {sha256}: get the file anew, or name its digest"
        )
