from .columns import face_embeddings, face_field
from .decoding import Batch
from .files import iter_columns, open_shards, require_columns
from .loader import FaceShards
from .order import EpochOrder
from .rows import FaceRow, to_batch
from .selection import Holdout, RowFilter
from .shard import Shard

__all__ = [
    "Batch",
    "EpochOrder",
    "FaceRow",
    "FaceShards",
    "Holdout",
    "RowFilter",
    "Shard",
    "face_embeddings",
    "face_field",
    "iter_columns",
    "open_shards",
    "require_columns",
    "to_batch",
]
