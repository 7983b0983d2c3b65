from .inception import InceptionConfig
from .interface import Embedder, EmbedderConfig
from .metadata import refuse_other_embedder
from .onnx import OnnxConfig
from .specification import embedder_config

__all__ = [
    "Embedder",
    "EmbedderConfig",
    "InceptionConfig",
    "OnnxConfig",
    "embedder_config",
    "refuse_other_embedder",
]
