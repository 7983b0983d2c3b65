"""Sizes of the base models that are made here."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class BasePreset:
    """Sizes of a base model. The context is as wide as the text encoder."""

    context: int
    text_layers: int
    unet: tuple[int, ...]  # channels by level
    vae: tuple[int, ...]  # channels by level; each but the last halves the side
    groups: int  # of the group norms
    heads: int  # of the U-Net's attention, at each level
    latents: int  # side for which the U-Net is made


BASE_PRESETS = {
    "tiny": BasePreset(context=32, text_layers=1, unet=(16, 32), vae=(8, 16, 16), groups=4, heads=2, latents=16),
    "small": BasePreset(
        context=128, text_layers=2, unet=(64, 128, 128), vae=(24, 48, 64), groups=8, heads=4, latents=16
    ),
}
