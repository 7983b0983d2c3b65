"""From requests to pixels: what one call of the model makes of requests that are alike."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, groupby, islice
from typing import Any

import numpy as np
import torch

from face0.generation.requests import Request
from face0.model.guidance import Branch
from face0.model.pipeline import Face0Pipeline, as_images, noise
from face0.model.projection import override
from face0.model.safety import flagged
from face0.model.samplers import make_scheduler
from face0.runtime.out_of_memory import FittingBatches


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """One image.

    Attributes:
        pixels: uint8 [H, W, 3]; None: the model's image is not made of numbers.
        flagged: by the safety checker; None: there is none.
        tokens_lost: of the prompt and its end mark, which had no place.
    """

    pixels: np.ndarray | None
    flagged: bool | None
    tokens_lost: int


class Renderer:
    """Renders requests that are alike in ``Request.kind``.

    Prompts and faces are encoded one at a time and remembered, so that what an image becomes does not depend on those
    beside it, but for the last bits of batched sums.
    """

    def __init__(self, pipe: Face0Pipeline) -> None:
        pipe.set_progress_bar_config(disable=True)
        self.pipe = pipe
        self._text = lru_cache(1024)(self._encode_prompt)
        self._face = lru_cache(1024)(self._encode_face)

    @torch.inference_mode()
    def __call__(self, requests: Sequence[Request]) -> list[Rendered]:
        """Renders requests as one batch."""
        pipe, first = self.pipe, requests[0]
        shape = (
            len(requests),
            pipe.unet.config.in_channels,
            first.height // pipe.shrink,
            first.width // pipe.shrink,
        )
        generators = [torch.Generator().manual_seed(request.seed) for request in requests]
        start = noise(shape, generators, pipe.unet.device, pipe.unet.dtype)
        by_request = [self._contexts(request) for request in requests]
        contexts = {
            branch: torch.cat([of_request[branch] for of_request in by_request]) for branch in first.guidance.branches()
        }
        scheduler = make_scheduler(first.sampler, pipe.scheduler.config)
        values = pipe.decode(pipe.denoise(start, contexts, first.guidance, first.steps, scheduler)).float()
        finite = values.isfinite().flatten(1).all(dim=1).tolist()
        pixels = as_images(values.nan_to_num()).permute(0, 2, 3, 1).contiguous().numpy()
        flags = flagged(pipe.safety_checker, pipe.feature_extractor, pixels)
        return [
            Rendered(
                pixels=image if is_finite else None,
                flagged=None if flags is None else flags[i],
                tokens_lost=self._text(request.prompt)[1][request.bare],
            )
            for i, (image, is_finite, request) in enumerate(zip(pixels, finite, requests, strict=True))
        ]

    def _contexts(self, request: Request) -> dict[Branch, torch.Tensor]:
        """The context of each branch, [1, 77, D]."""
        text, without = self._text(request.prompt)[0], self._text(request.negative_prompt)[0]
        vector = request.conditioning
        tokens = self._face(None if vector is None else vector.tobytes())
        contexts = {}
        for branch in request.guidance.branches():
            has_text, has_face = branch.value
            states = text if has_text else without
            contexts[branch] = (
                states if request.bare else override(states, tokens if has_face else torch.zeros_like(tokens))
            )
        return contexts

    def _encode_face(self, vector: bytes | None) -> torch.Tensor:
        """The tokens [1, slots * tokens, D] of the bytes of a float32 vector; zeros without one."""
        vectors = None if vector is None else np.frombuffer(vector, np.float32).copy()[None]
        tokens: torch.Tensor = self.pipe.face_projection(*self.pipe.face_slots(vectors))
        return tokens

    def _encode_prompt(self, prompt: str) -> tuple[torch.Tensor, tuple[int, int]]:
        """States [1, 77, D], and tokens that have no place: beside faces, and without slots for them."""
        tokenizer, slots = self.pipe.tokenizer, self.pipe.face_projection.config
        length = len(tokenizer(prompt, verbose=False).input_ids)
        places = 77 - slots.tokens * slots.slots
        return self.pipe.encode_text([prompt]), (max(0, length - places), max(0, length - 77))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Requests that went through the model together, and what came of each.

    Attributes:
        requests: in the order in which they were rendered.
        images: of each request; an error where even one alone does not fit into memory.
        seconds: that all of them took together.
    """

    requests: Sequence[Request]
    images: Sequence[Rendered | Exception]
    seconds: float


class Batches:
    """Batches of requests that are alike, as large as fits into memory for their kind."""

    def __init__(self, render: Renderer, size: int) -> None:
        self._render, self._size = render, size
        self._fitting: dict[tuple[int, int, int], FittingBatches[Request, Rendered]] = {}

    def __call__(self, rows: Iterable[Any]) -> Iterator[Any]:
        """Renders requests: a batch holds some that follow each other and are of one kind. All else passes through."""
        for kind, group in groupby(rows, lambda row: row.kind if isinstance(row, Request) else None):
            if kind is None:
                yield from group
                continue
            requests = iter(group)
            first = next(requests)
            key = first.width, first.height, len(first.guidance.branches())
            fitting = self._fitting.setdefault(key, FittingBatches(self._render, self._size))
            requests = chain([first], requests)
            while batch := list(islice(requests, fitting.size)):
                started = time.perf_counter()
                images = fitting(batch)
                yield Batch(requests=batch, images=images, seconds=time.perf_counter() - started)
