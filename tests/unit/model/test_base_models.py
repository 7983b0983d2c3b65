"""Base models: made here, and refused where they are of other kinds."""

from pathlib import Path

import diffusers
import pytest
import torch

from face0.errors import UsageError
from face0.model.base_models import base_model, fit_vae, load_base, word_tokenizer
from face0.model.presets import BASE_PRESETS


def test_the_tokenizer_knows_prompts_and_spells_the_rest() -> None:
    tokenizer = word_tokenizer()
    assert tokenizer.tokenize("A stock photo of a doctor") == [
        "a</w>", "stock</w>", "photo</w>", "of</w>", "a</w>", "doctor</w>"
    ]  # fmt: skip
    encoded = tokenizer("Zoë, 猫", padding="max_length", max_length=77).input_ids
    assert len(encoded) == 77
    assert tokenizer.unk_token_id == tokenizer.eos_token_id
    assert encoded.index(tokenizer.eos_token_id) > 6


def test_every_tokenizer_is_the_same() -> None:
    """Its library merges pairs that are as frequent as each other in an order of its own, unless they are numbered."""
    first, *others = (word_tokenizer().get_vocab() for _ in range(4))
    assert all(vocabulary == first for vocabulary in others)


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 9, 10, 11, 19, 20])
def test_a_vae_is_fitted_in_any_number_of_steps(steps: int) -> None:
    vae = base_model(BASE_PRESETS["tiny"], 0).vae
    images = iter(torch.randint(0, 256, (steps + 1, 2, 3, 16, 16), dtype=torch.uint8))
    losses = list(fit_vae(vae, images, steps, 0))
    assert len(losses) == steps
    assert all(loss > 0 for loss in losses)
    assert vae.config.scaling_factor > 0


@pytest.mark.parametrize("kind", ["FlowMatchEulerDiscreteScheduler", "EDMEulerScheduler", "IPNDMScheduler"])
def test_a_base_with_a_scheduler_of_other_models_is_refused(kind: str, tmp_path: Path) -> None:
    base = base_model(BASE_PRESETS["tiny"], 0)
    base.scheduler = getattr(diffusers, kind)()
    base.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=f"its scheduler, {kind}, has no levels of noise like those"):
        load_base(tmp_path)
