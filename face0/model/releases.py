"""Settings of Stable Diffusion 1.x and 2.x, as its releases have them: what a checkpoint in one file does not hold."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer

from face0.errors import UsageError
from face0.model.samplers import STABLE_DIFFUSION, saved_scheduler

_VOCABULARY = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "special_tokens_map.json")


@dataclass(frozen=True, kw_only=True)
class Release:
    """Settings of a line of releases, by the libraries' names; what is left out is their default.

    Attributes:
        name: of the line.
        unet: of diffusers' ``UNet2DConditionModel``.
        vae: of diffusers' ``AutoencoderKL``.
        text_encoder: of transformers' ``CLIPTextModel``.
        side: of the latents for which the U-Net was made, by what it predicts.
    """

    name: str
    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    text_encoder: Mapping[str, Any]
    side: Mapping[str, int]


_VAE = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
    "scaling_factor": 0.18215,
}
_UNET = {
    "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    "layers_per_block": 2,
    "in_channels": 4,
    "out_channels": 4,
}
_TEXT = {
    "vocab_size": 49408,
    "max_position_embeddings": 77,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "layer_norm_eps": 1e-5,
}
RELEASES = {  # by the width of the context
    768: Release(
        name="Stable Diffusion 1.x",
        unet={**_UNET, "cross_attention_dim": 768, "attention_head_dim": 8},
        vae=_VAE,
        text_encoder={
            **_TEXT, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
            "hidden_act": "quick_gelu", "projection_dim": 768,
        },
        side={"epsilon": 64, "v_prediction": 64},
    ),
    1024: Release(
        name="Stable Diffusion 2.x",
        unet={**_UNET, "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20],
            "use_linear_projection": True},
        vae=_VAE,
        text_encoder={
            **_TEXT, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23,
            "num_attention_heads": 16, "hidden_act": "gelu", "projection_dim": 512,
        },
        side={"epsilon": 64, "v_prediction": 96},
    ),
}  # fmt: skip


def write_settings(context: int, prediction_type: str, tokenizer: Path, to: Path) -> None:
    """Writes the settings of a release as a folder in diffusers' layout without weights.

    Args:
        context: width of what the U-Net is conditioned on, by which the release is known.
        prediction_type: "epsilon" or "v_prediction".
        tokenizer: local folder with the vocabulary, or a model folder that holds it.
        to: an empty local folder.

    Raises:
        UsageError: there is no such release, or the tokenizer is not its own.
    """
    if context not in RELEASES:
        known = " and ".join(f"{width} ({release.name})" for width, release in RELEASES.items())
        raise UsageError(
            f"its context has {context} values, and known are {known}: give --like FOLDER, of the same kind"
        )
    release = RELEASES[context]
    _copy_tokenizer(tokenizer, to / "tokenizer", release)
    parts = {
        "unet": {"_class_name": "UNet2DConditionModel", **release.unet, "sample_size": release.side[prediction_type]},
        "vae": {"_class_name": "AutoencoderKL", **release.vae},
        "text_encoder": {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model", **release.text_encoder},
    }
    for name, settings in parts.items():
        (to / name).mkdir()
        (to / name / "config.json").write_text(json.dumps(settings))
    saved_scheduler({**STABLE_DIFFUSION, "prediction_type": prediction_type}).save_pretrained(to / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
    }
    (to / "model_index.json").write_text(json.dumps(index))


def _copy_tokenizer(folder: Path, to: Path, release: Release) -> None:
    place = folder / "tokenizer" if (folder / "tokenizer").is_dir() else folder
    names = {file.name for file in place.iterdir()} if place.is_dir() else set()
    if "tokenizer.json" not in names and not {"vocab.json", "merges.txt"} <= names:
        raise UsageError(
            f"--tokenizer {folder} holds no tokenizer.json, and no vocab.json with merges.txt: give the folder "
            "tokenizer of any Stable Diffusion, or of openai/clip-vit-large-patch14"
        )
    to.mkdir()
    for name in names.intersection(_VOCABULARY):
        shutil.copyfile(place / name, to / name)
    try:
        tokens = len(CLIPTokenizer.from_pretrained(to, local_files_only=True))
    except Exception as error:  # the library raises nearly any type for files that are not as they should be
        raise UsageError(f"--tokenizer {folder} does not load as CLIP's: {error}") from error
    if tokens != (size := release.text_encoder["vocab_size"]):
        raise UsageError(f"--tokenizer {folder} has {tokens:,} tokens, {release.name} has {size:,}: give CLIP's")
