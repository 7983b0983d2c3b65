"""facenet-pytorch, whose package holds the detector's weights and the embedder's net.

It pins releases of torch, numpy and Pillow that are long gone, so that no installer takes it beside current ones. Its
code runs on these unchanged. So it is no dependency, and looked for when it is needed.
"""

from types import ModuleType

from face0.errors import UsageError


def load_facenet() -> ModuleType:
    """The package ``facenet_pytorch``.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import facenet_pytorch
    except ImportError as error:
        raise UsageError(
            f"the face detector needs the package facenet-pytorch ({error}): "
            "pip install --no-deps facenet-pytorch==2.6.0"
        ) from error
    module: ModuleType = facenet_pytorch
    return module
