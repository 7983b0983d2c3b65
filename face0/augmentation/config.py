"""What decides which rows come out of augment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa

from face0.detection.detections import FaceFilter
from face0.embedders.interface import EmbedderConfig
from face0.faces.deny_list import DenyList
from face0.images.training_image import RESOLUTION
from face0.readers.conditions import Condition
from face0.readers.further_columns import TYPES
from face0.readers.samples import Columns
from schemas.face_shard import face_shard

ROW_SECONDS = 120.0  # without a further row: far more than one takes


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """What decides which rows come out of an input.

    Two jobs with the same one write the same rows; on different machines, to the rounding of their arithmetic.

    Attributes:
        embedder: of the vectors.
        columns: of the input, by what they hold.
        faces: which detections are kept.
        resolution: pixels a side of the training image, at most.
        max_pixels: of an image before its crop.
        max_bytes: of an image's file.
        keep_faceless: whether images without a face become rows too.
        pad: grey margin, a share of the side, in which an image without a face is searched again; 0: it is not.
        deny: people whose pictures are not written; None: there are none.
        keep: columns of the input that come along into the shards, by name, with their types (see
            ``face0.readers.further_columns.TYPES``).
        where: the condition that rows of the input have to meet; None: all are wanted.
    """

    embedder: EmbedderConfig
    columns: Columns = field(default_factory=Columns)
    faces: FaceFilter = field(default_factory=FaceFilter)
    resolution: int = RESOLUTION
    max_pixels: int = 2**26
    max_bytes: int = 2**26
    keep_faceless: bool = False
    pad: float = 0.0
    deny: DenyList | None = None
    keep: Mapping[str, str] | None = None
    where: str | None = None

    @property
    def condition(self) -> Condition | None:
        """The condition that rows have to meet. Raises UsageError if it does not read as one."""
        return Condition(self.where) if self.where is not None else None

    @property
    def reading(self) -> Columns:
        """The columns to read: those of the image, and those that come along or that the condition names."""
        condition = self.condition
        also = dict.fromkeys([*(self.keep or ()), *(condition.columns if condition else ())])
        return replace(self.columns, also=tuple(also) or None)

    def schema(self, dim: int) -> pa.Schema:
        """The schema of the shards."""
        kept = {name: TYPES[kind] for name, kind in (self.keep or {}).items()}
        return face_shard(dim, dict(self.embedder.metadata()), kept)
