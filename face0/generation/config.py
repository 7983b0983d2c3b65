"""What decides, beside the requests, what generate writes."""

from dataclasses import dataclass
from enum import StrEnum

from face0.embedders.interface import EmbedderConfig


class Unsafe(StrEnum):
    """What becomes of the file of an image that the safety checker flags. Its row says so in any case."""

    KEEP = "keep"
    BLUR = "blur"
    DROP = "drop"


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """What decides, beside the requests, what is written."""

    model: str  # URI of the folder
    fingerprint: str  # of its weights
    precision: str = "auto"  # auto: bfloat16 on a GPU that multiplies in it, else float32
    image_format: str = "png"
    quality: int = 92
    unsafe: Unsafe = Unsafe.BLUR
    embedder: EmbedderConfig | None = None
    judge: EmbedderConfig | None = None
    clip: str | None = None

    @property
    def needs_portraits(self) -> bool:
        """Whether a measure compares with the bank's pictures."""
        return self.judge is not None or self.clip is not None
