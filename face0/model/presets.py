"""Sizes of the base models that are made here."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class BasePreset:
    """Sizes of a base model. The context is as wide as the text encoder.

    Attributes:
        context: width of the context.
        text_layers: of the text encoder.
        unet: channels of the U-Net by level.
        vae: channels of the VAE by level; each level but the last halves the side.
        groups: of the group norms.
        heads: of the U-Net's attention, at each level.
        latents: side of the latents for which the U-Net is made.
    """

    context: int
    text_layers: int
    unet: tuple[int, ...]
    vae: tuple[int, ...]
    groups: int
    heads: int
    latents: int


BASE_PRESETS = {
    "tiny": BasePreset(context=32, text_layers=1, unet=(16, 32), vae=(8, 16, 16), groups=4, heads=2, latents=16),
    "small": BasePreset(
        context=128, text_layers=2, unet=(64, 128, 128), vae=(24, 48, 64), groups=8, heads=4, latents=16
    ),
}
