"""Versions of the code and of the libraries that results may depend on."""

from importlib.metadata import PackageNotFoundError, version

RECORDED = ("face0", "torch", "facenet-pytorch", "onnxruntime", "pillow", "pyarrow")


def library_versions() -> dict[str, str]:
    """The versions of RECORDED, of those that are installed; recorded with every job, not compared."""
    versions = {}
    for name in RECORDED:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
