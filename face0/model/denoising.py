"""A denoising between two steps: its state, and what callbacks of diffusers' kind may change of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from face0.errors import UsageError
from face0.model.guidance import Branch, Guidance, weight_of_scale
from face0.model.projection import override


@dataclass(kw_only=True)
class Denoising:
    """What the next step starts from.

    Attributes:
        latents: [N, C, h, w].
        contexts: what the U-Net sees in each branch, [N, L, D] each.
        guidance: how strongly text and face steer.
    """

    latents: torch.Tensor
    contexts: Mapping[Branch, torch.Tensor]
    guidance: Guidance


@dataclass(kw_only=True)
class Conditioning:
    """What contexts are made of.

    Attributes:
        text: states of the prompts, [N, L, D].
        without_text: of the negative prompts; None: no branch needs them.
        face_tokens: [N, slots * tokens, D].
    """

    text: torch.Tensor
    without_text: torch.Tensor | None
    face_tokens: torch.Tensor

    def contexts(self, guidance: Guidance) -> dict[Branch, torch.Tensor]:
        """What the U-Net sees in each branch that is evaluated.

        Raises:
            UsageError: a branch without the prompt is needed, and there is no negative one.
        """
        contexts = {}
        for branch in guidance.branches():
            has_text, has_face = branch.value
            states = self.text if has_text else self.without_text
            if states is None:
                raise UsageError("guidance needs states without the prompt: give negative_prompt_embeds")
            contexts[branch] = override(states, self.face_tokens if has_face else torch.zeros_like(self.face_tokens))
        return contexts


class StepCallback:
    """Asks a callback after each step, and takes over what it changes: tensors, and the pipeline's guidance scale.

    As in diffusers, ``prompt_embeds`` are shown with the negative ones before them while there is guidance, and may be
    returned with or without these.
    """

    def __init__(
        self, pipe: Any, callback: Callable[..., Any], names: Sequence[str], conditioning: Conditioning
    ) -> None:
        self._pipe, self._callback, self._names, self._conditioning = pipe, callback, names, conditioning
        self._scales = pipe.guidance_scale, pipe.guidance_rescale

    def __call__(self, step: int, t: torch.Tensor, state: Denoising) -> None:
        """Changes the state as the callback wants it.

        Raises:
            UsageError: it returns no mapping, or tensors of another shape.
        """
        shown = self._shown(state.latents)
        returned = self._callback(self._pipe, step, t, {name: shown[name] for name in self._names})
        if not isinstance(returned, Mapping):
            raise UsageError(f"callback_on_step_end returned {returned!r:.80}: return its callback_kwargs")
        changed = {**shown, **returned}
        for name in ("latents", "negative_prompt_embeds"):
            if changed[name] is not shown[name] and changed[name].shape != shown[name].shape:
                raise UsageError(
                    f"callback_on_step_end returned {name} {tuple(changed[name].shape)}: return "
                    f"{tuple(shown[name].shape)}"
                )
        state.latents = changed["latents"]
        scales = self._pipe.guidance_scale, self._pipe.guidance_rescale
        if scales != self._scales:
            self._scales = scales
            state.guidance = replace(state.guidance, w=weight_of_scale(scales[0]), rescale=scales[1])
        if "prompt_embeds" in returned:
            self._take_text(changed["prompt_embeds"])
        if changed["negative_prompt_embeds"] is not shown["negative_prompt_embeds"]:
            self._conditioning.without_text = changed["negative_prompt_embeds"]
        state.contexts = self._conditioning.contexts(state.guidance)

    def _shown(self, latents: torch.Tensor) -> dict[str, Any]:
        text, without = self._conditioning.text, self._conditioning.without_text
        both = self._pipe.do_classifier_free_guidance and without is not None
        return {
            "latents": latents,
            "prompt_embeds": torch.cat([without, text]) if both else text,  # type: ignore[list-item]  # no None
            "negative_prompt_embeds": without,
        }

    def _take_text(self, embeds: torch.Tensor) -> None:
        text = self._conditioning.text
        if embeds.shape == text.shape:
            self._conditioning.text = embeds
        elif embeds.shape == (2 * len(text), *text.shape[1:]):
            self._conditioning.without_text, self._conditioning.text = embeds.chunk(2)
        else:
            raise UsageError(
                f"callback_on_step_end returned prompt_embeds {tuple(embeds.shape)}: return {tuple(text.shape)}, or "
                "these after as many negative ones"
            )
