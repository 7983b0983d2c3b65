from .columns import face_embeddings, face_field
from .decoding import Batch
from .files import Shard, iter_columns, open_shards
from .loader import FaceShards
from .order import EpochOrder
from .rows import FaceRow, to_batch
from .selection import Holdout, RowFilter

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
    "to_batch",
]
