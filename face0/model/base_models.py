"""Small base models with the layout of Stable Diffusion and random weights, for tests, demos and small data."""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from face0.errors import UsageError
from face0.model.presets import BasePreset
from face0.model.samplers import STABLE_DIFFUSION, refuse_unknown_levels, saved_scheduler
from face0.model.weights import load_parts, quiet
from face0.runtime.precision import fast_dtype

# Words that prompts are made of: the tokenizer joins their letters, and spells all others.
WORDS = """
a an the of in on at with and by for from to as is are his her their one two three face faces head hair eyes smile man
woman men women person people child boy girl old young portrait photo photograph picture image stock news press event
painting drawing sketch oil watercolor pencil ink cartoon comic poster statue marble bronze clay render style art
artistic realistic cinematic studio light dark bright sun sunset night morning evening street city beach mountain
forest garden house kitchen office school hospital court stage library museum market station train car boat plane
space moon wearing smiling laughing standing sitting walking running reading talking looking close up wide full body
shot front side black white red green blue yellow brown grey gold silver color hat cap coat suit tie dress shirt
uniform glasses beard moustache crown helmet doctor nurse teacher lawyer judge engineer programmer scientist artist
actor singer musician writer cook chef baker farmer fisher builder driver pilot soldier police officer president king
queen leader manager assistant worker student athlete player coach dancer photographer
"""
BASE_PARTS = {
    "unet": UNet2DConditionModel,
    "vae": AutoencoderKL,
    "text_encoder": CLIPTextModel,
    "safety_checker": StableDiffusionSafetyChecker,
}
SPECIAL = ["<|startoftext|>", "<|endoftext|>"]


def base_model(preset: BasePreset, seed: int, prediction_type: str = "epsilon") -> StableDiffusionPipeline:
    """A whole pipeline with seeded random weights."""
    tokenizer = word_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=preset.context,
                intermediate_size=4 * preset.context,
                num_hidden_layers=preset.text_layers,
                num_attention_heads=max(1, preset.context // 32),
                max_position_embeddings=77,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        )
        deeper = len(preset.unet) - 1
        unet = UNet2DConditionModel(
            sample_size=preset.latents,
            block_out_channels=preset.unet,
            # Attention over the largest level would take most of the time, and shows little at these sizes.
            down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * deeper,
            up_block_types=("CrossAttnUpBlock2D",) * deeper + ("UpBlock2D",),
            layers_per_block=1,
            cross_attention_dim=preset.context,
            attention_head_dim=preset.heads,  # the number of heads, whatever its name says
            norm_num_groups=preset.groups,
        )
        vae = AutoencoderKL(
            block_out_channels=preset.vae,
            down_block_types=("DownEncoderBlock2D",) * len(preset.vae),
            up_block_types=("UpDecoderBlock2D",) * len(preset.vae),
            layers_per_block=1,
            norm_num_groups=preset.groups,
            sample_size=preset.latents * 2 ** (len(preset.vae) - 1),
        )
    scheduler = saved_scheduler({**STABLE_DIFFUSION, "prediction_type": prediction_type})
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text.eval(),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def load_base(folder: Path) -> StableDiffusionPipeline:
    """Loads a Stable Diffusion 1.x or 2.x folder, from safetensors only and without the network.

    Raises:
        UsageError: it is not one, or its weights are not whole.
    """
    if not (folder / "model_index.json").is_file():
        raise UsageError(
            f"{folder} is not a diffusers folder (it has no model_index.json): give a Stable Diffusion 1.x or 2.x "
            "folder, or make a small one with `face0 init --preset small --output DIR`"
        )
    parts = load_parts(folder, BASE_PARTS)
    try:
        with quiet():
            base = StableDiffusionPipeline.from_pretrained(
                folder, **parts, requires_safety_checker=False, local_files_only=True, use_safetensors=True
            )
    except Exception as error:  # the libraries raise nearly any type for a folder that is not as it should be
        raise UsageError(f"{folder} does not load as Stable Diffusion: {error}") from error
    if not hasattr(base.scheduler, "alphas_cumprod"):
        raise UsageError(
            f"{folder} cannot be trained: its scheduler, {type(base.scheduler).__name__}, has no levels of noise like "
            "those of Stable Diffusion: give another base, or, if it was trained with such levels, put the "
            "scheduler_config.json that says them into its folder scheduler"
        )
    try:
        refuse_unknown_levels(base.scheduler.config)
    except UsageError as error:
        raise UsageError(f"{folder} cannot be trained: {error}") from error
    if base.unet.config.in_channels != base.vae.config.latent_channels:
        raise UsageError(
            f"{folder} takes {base.unet.config.in_channels} channels (for inpainting?): give a plain model"
        )
    if base.unet.config.cross_attention_dim != base.text_encoder.config.hidden_size:
        raise UsageError(
            f"{folder} has a context of {base.unet.config.cross_attention_dim} and text states of "
            f"{base.text_encoder.config.hidden_size}: its parts do not belong together"
        )
    return base


def word_tokenizer() -> CLIPTokenizer:
    """A CLIP tokenizer whose byte pairs were learnt from WORDS."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    base = [*letters, *(letter + "</w>" for letter in letters)]
    clip = CLIPTokenizer(vocab={token: i for i, token in enumerate([*base, *SPECIAL])}, merges=[])
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = clip.backend_tokenizer.pre_tokenizer
    # The letters are given as special tokens to number them: pairs as frequent as each other are merged by number.
    trainer = trainers.BpeTrainer(vocab_size=2048, special_tokens=base, end_of_word_suffix="</w>", show_progress=False)
    learner.train_from_iterator([WORDS] * 2, trainer)
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    tokens = list(dict.fromkeys([*base, *("".join(pair) for pair in merges), *SPECIAL]))
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=merges, model_max_length=77)


def fit_vae(vae: AutoencoderKL, images: Iterator[torch.Tensor], steps: int, seed: int) -> Iterator[float]:
    """Fits a VAE to images; yields the loss of each step.

    Absolute error and a small pull of the latents towards the normal distribution, at a one-cycle learning rate. In
    the end the scaling factor is set so that latents have about unit variance.

    Args:
        vae: is changed.
        images: batches, uint8 [N, 3, H, W], one more than steps.
        steps: of the optimiser; 0: the scaling factor alone is set.
        seed: of the noise on the latents.
    """
    vae.train().to(memory_format=torch.channels_last)
    fast = fast_dtype(vae.device.type)
    optimiser = torch.optim.AdamW(vae.parameters(), lr=1e-3, weight_decay=1e-4)
    # A cycle needs a few steps to rise in: fewer than these are the first of it.
    cycle = max(20, steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=2e-3, total_steps=cycle, pct_start=0.1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(steps):
            pixels = next(images).float() / 127.5 - 1
            with torch.autocast(vae.device.type, fast, enabled=fast != torch.float32):
                posterior = vae.encode(pixels.contiguous(memory_format=torch.channels_last)).latent_dist
                error = vae.decode(posterior.sample()).sample - pixels
            loss = error.float().abs().mean() + 1e-6 * posterior.kl().float().mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            yield loss.item()
    vae.eval()
    with torch.no_grad():
        pixels = next(images).float() / 127.5 - 1
        latents = vae.encode(pixels).latent_dist.mean
    vae.register_to_config(scaling_factor=round(1 / latents.std().item(), 5))
