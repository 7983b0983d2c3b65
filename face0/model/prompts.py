"""Prompts to states of the text encoder."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from diffusers.loaders import TextualInversionLoaderMixin
from diffusers.utils.peft_utils import scale_lora_layers, unscale_lora_layers

from face0.errors import UsageError
from face0.model.call_inputs import PLACES, check_states, exactly_one, text_list, whole_number

_log = logging.getLogger(__name__)


class PromptEncoder(TextualInversionLoaderMixin):
    """The part of the pipeline that reads prompts, with the pipeline's tokenizer and text encoder."""

    tokenizer: Any
    text_encoder: Any
    unet: Any
    face_projection: Any
    _execution_device: Any

    def encode_text(self, prompts: Sequence[str], clip_skip: int | None = None) -> torch.Tensor:
        """The text encoder's states [N, 77, D]; long prompts are cut.

        Args:
            prompts: N of them.
            clip_skip: layers that are left out at its end; None: none.
        """
        tokens = self.tokenizer(
            list(prompts), padding="max_length", truncation=True, max_length=PLACES, return_tensors="pt"
        ).input_ids.to(self._execution_device)
        if clip_skip is None:
            return self.text_encoder(tokens)[0]
        whole_number("clip_skip", clip_skip, least=0, most=self.text_encoder.config.num_hidden_layers)
        states = self.text_encoder(tokens, output_hidden_states=True).hidden_states[-(clip_skip + 1)]
        # transformers 4 has the layers one level deeper than 5.
        deep: Any = getattr(self.text_encoder, "text_model", self.text_encoder)
        return deep.final_layer_norm(states)

    def encode_prompt(
        self,
        prompt: str | Sequence[str] | None,
        device: torch.device | str | None = None,
        num_images_per_prompt: int = 1,
        do_classifier_free_guidance: bool = True,
        negative_prompt: str | Sequence[str] | None = None,
        prompt_embeds: torch.Tensor | None = None,
        negative_prompt_embeds: torch.Tensor | None = None,
        lora_scale: float | None = None,
        clip_skip: int | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """States of prompts and of negative prompts, [prompts * num_images_per_prompt, 77, D] each.

        Arguments are those of StableDiffusionPipeline. Words that have no place beside the face are logged.

        Raises:
            UsageError: prompts and states are both given, or neither, or do not fit together.
        """
        exactly_one(prompt=prompt, prompt_embeds=prompt_embeds)
        if self.text_encoder is not None and lora_scale is not None:
            scale_lora_layers(self.text_encoder, lora_scale)
        try:
            text = self._states("prompt", prompt, prompt_embeds, None, clip_skip)
            without = negative_prompt_embeds
            if do_classifier_free_guidance or negative_prompt_embeds is not None:
                if negative_prompt is not None:
                    exactly_one(negative_prompt=negative_prompt, negative_prompt_embeds=negative_prompt_embeds)
                elif without is None:
                    negative_prompt = ""
                without = self._states("negative_prompt", negative_prompt, without, len(text), None)
        finally:
            if self.text_encoder is not None and lora_scale is not None:
                unscale_lora_layers(self.text_encoder, lora_scale)
        if without is not None and without.shape != text.shape:
            raise UsageError(
                f"negative states {tuple(without.shape)} beside {tuple(text.shape)} of the prompts: give "
                "negative_prompt_embeds of the same shape"
            )
        both = [
            states
            if states is None
            else states.to(device or self._execution_device).repeat_interleave(num_images_per_prompt, dim=0)
            for states in (text, without)
        ]
        return both[0], both[1]  # type: ignore[return-value]  # the first is there

    def _states(
        self,
        name: str,
        texts: str | Sequence[str] | None,
        states: torch.Tensor | None,
        count: int | None,
        clip_skip: int | None,
    ) -> torch.Tensor:
        """States [N, 77, D] of texts, if these are given, or those that are."""
        slots = self.face_projection.config if self.face_projection is not None else None
        face_places = slots.slots * slots.tokens if slots else 0
        if texts is None:
            check_states(f"{name}_embeds", states, self.unet.config.cross_attention_dim, face_places)
            return states  # type: ignore[return-value]  # a tensor, it was seen
        if self.text_encoder is None or self.tokenizer is None:
            raise UsageError(f"{name} {texts!r:.80}: this pipeline has no text encoder: give {name}_embeds")
        converted = self.maybe_convert_prompt(text_list(name, texts, count), self.tokenizer)
        for text in dict.fromkeys(converted):
            ids = self.tokenizer(text, verbose=False).input_ids
            if cut := self.tokenizer.decode(ids[PLACES - face_places : -1]).strip():
                _log.warning(
                    "a %s is cut: %r has no place (%d tokens fit beside faces, and it has %d)",
                    name.replace("_", " "), cut, PLACES - face_places, len(ids),
                )  # fmt: skip
        return self.encode_text(converted, clip_skip)
