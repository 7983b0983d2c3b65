"""Text-to-image conditioned on a face: the library behind the pipelines, by subject."""

from importlib.metadata import version
from typing import TYPE_CHECKING

import lazy_loader as lazy

if TYPE_CHECKING:
    from face0.embedders.specification import embedder_config
    from face0.errors import UsageError
    from face0.faces.bank import read_bank
    from face0.model.pipeline import Face0Pipeline
    from face0.shards.loader import FaceShards

__version__ = version("face0")

_PUBLIC = {
    "embedders.specification": ["embedder_config"],
    "errors": ["UsageError"],
    "faces.bank": ["read_bank"],
    "model.pipeline": ["Face0Pipeline"],
    "shards.loader": ["FaceShards"],
}
__getattr__, __dir__, _ = lazy.attach(__name__, submod_attrs=_PUBLIC)
__all__ = ["Face0Pipeline", "FaceShards", "UsageError", "embedder_config", "read_bank"]
