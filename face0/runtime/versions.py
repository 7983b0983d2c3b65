"""Versions of the code and of the libraries that results may depend on."""

from importlib.metadata import version


def library_versions() -> dict[str, str]:
    """Of the code and of the libraries that results may depend on; recorded with every job, not compared."""
    return {name: version(name) for name in ("face0", "torch", "facenet-pytorch", "onnxruntime", "pillow", "pyarrow")}
