from .identity import Identity, identity_of
from .inception import InceptionConfig
from .interface import Embedder, EmbedderConfig
from .metadata import refuse_other_embedder
from .onnx import OnnxConfig
from .specification import embedder_config

__all__ = [
    "Embedder",
    "EmbedderConfig",
    "Identity",
    "InceptionConfig",
    "OnnxConfig",
    "embedder_config",
    "identity_of",
    "refuse_other_embedder",
]
