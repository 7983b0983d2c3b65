"""What decides, beside the requests, what generate writes."""

from dataclasses import dataclass
from enum import StrEnum

from face0.embedders.interface import EmbedderConfig

ROW_SECONDS = 3600.0  # without a new image: a batch of large ones on a CPU takes a good part of it


class Unsafe(StrEnum):
    """What becomes of the file of an image that the safety checker flags. Its row says so in any case."""

    KEEP = "keep"
    BLUR = "blur"
    DROP = "drop"


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """What decides, beside the requests, what is written.

    Attributes:
        model: URI of its folder.
        fingerprint: digest of its weights.
        precision: "auto" (bfloat16 on a GPU that multiplies in it, else float32), or "fp32".
        image_format: a key of ``face0.generation.image_files.FORMATS``.
        quality: of WebP and JPEG, 1..100.
        unsafe: what becomes of an image that the safety checker flags.
        embedder: of the faces in the images; None: their vectors and similarity are not measured.
        judge: an independent embedder, likewise.
        clip: URI of a folder of CLIP; None: alignment with text and face is not measured.
        clip_fingerprint: digest of what is in that folder.
    """

    model: str
    fingerprint: str
    precision: str = "auto"
    image_format: str = "png"
    quality: int = 92
    unsafe: Unsafe = Unsafe.BLUR
    embedder: EmbedderConfig | None = None
    judge: EmbedderConfig | None = None
    clip: str | None = None
    clip_fingerprint: str | None = None

    @property
    def needs_portraits(self) -> bool:
        """Whether a measure compares with the bank's pictures."""
        return self.judge is not None or self.clip is not None
