from .embedders.specification import embedder_config
from .errors import UsageError
from .faces.bank import read_bank
from .model.pipeline import Face0Pipeline
from .shards.loader import FaceShards

__version__: str
__all__ = [
    "Face0Pipeline",
    "FaceShards",
    "UsageError",
    "embedder_config",
    "read_bank",
]
