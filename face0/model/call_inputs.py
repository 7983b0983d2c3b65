"""What a call of the pipeline is given: checked first, and refused in a sentence rather than mended."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import torch
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback

from face0.errors import UsageError

OUTPUT_TYPES = ("pil", "np", "pt", "latent")
PLACES = 77  # of a text encoder's states


def whole_number(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """The value, if it is a whole number within bounds.

    Raises:
        UsageError: it is not.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or int(value) < least or (most is not None and int(value) > most):
        bound = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise UsageError(f"{name} {value!r}: give a whole number {bound}")
    return int(value)


def share(name: str, value: Any) -> float:
    """The value, if it is a number from 0 to 1.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise UsageError(f"{name} {value!r}: give a number from 0 to 1")
    return float(value)


def one_of(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raises UsageError if the value is none of the choices."""
    if value not in choices:
        raise UsageError(f"{name} {value!r}: give one of {', '.join(choices)}")


def mapping(name: str, value: Any) -> Mapping[str, Any] | None:
    """The value, if it is a mapping or None.

    Raises:
        UsageError: it is something else.
    """
    if value is not None and not isinstance(value, Mapping):
        raise UsageError(f"{name} is {value!r:.80}: give a dict, or None")
    return value


def text_list(name: str, value: Any, count: int | None = None) -> list[str]:
    """Texts as a list.

    Args:
        name: of the argument.
        value: a text, or a sequence of them.
        count: how many there must be, to which one text is repeated; None: any number.

    Raises:
        UsageError: these are no texts, none, or another number of them.
    """
    texts = [value] * (count or 1) if isinstance(value, str) else value
    if not isinstance(texts, Sequence) or not texts or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{name} is {value!r:.80}: give a text, or a list of texts")
    if count is not None and len(texts) != count:
        raise UsageError(f"{len(texts)} texts as {name} for {count} prompts: give one for each prompt, or one for all")
    return list(texts)


def exactly_one(**values: Any) -> None:
    """Raises UsageError unless one of two arguments is given, and the other is None."""
    names = " or ".join(values)
    given = [name for name, value in values.items() if value is not None]
    if len(given) != 1:
        raise UsageError(f"{'both of' if given else 'neither of'} {names.replace(' or ', ' and ')}: give {names}")


def check_states(name: str, states: Any, width: int, face_places: int) -> None:
    """Raises UsageError unless these are states of a text encoder with places for the faces, [N, L, width]."""
    shape = tuple(states.shape) if isinstance(states, torch.Tensor) else type(states).__name__
    if not isinstance(shape, tuple) or len(shape) != 3 or not shape[0] or shape[1] <= face_places or shape[2] != width:
        raise UsageError(f"{name} is {shape}: give a tensor [prompts, {PLACES}, {width}], as encode_prompt makes it")


def image_size(
    height: int | None, width: int | None, latents: torch.Tensor | None, side: int, multiple: int, shrink: int
) -> tuple[int, int]:
    """Height and width of the pictures, in pixels: as asked, or of the latents, or the model's own.

    Raises:
        UsageError: the U-Net cannot halve that size as often as it must.
    """
    given = (side, side) if latents is None or latents.ndim != 4 else [shrink * size for size in latents.shape[2:]]
    sizes = [
        own if asked is None else whole_number(name, asked)
        for name, asked, own in zip(("height", "width"), (height, width), given, strict=True)
    ]
    for name, size in zip(("height", "width"), sizes, strict=True):
        if size % multiple or not size:
            nearest = max(multiple, round(size / multiple) * multiple)
            raise UsageError(f"{name} {size}: give a multiple of {multiple} pixels, such as {nearest}")
    return sizes[0], sizes[1]


def check_latents(latents: Any, shape: Sequence[int]) -> None:
    """Raises UsageError unless these are latents of that shape."""
    given = tuple(latents.shape) if isinstance(latents, torch.Tensor) else type(latents).__name__
    if given != tuple(shape):
        raise UsageError(f"latents are {given}: for these prompts and this size give a tensor {tuple(shape)}")


def generator_list(
    generator: torch.Generator | Sequence[torch.Generator] | None, pictures: int
) -> torch.Generator | list[torch.Generator] | None:
    """One generator for all pictures, or a list of one for each.

    Raises:
        UsageError: there is another number of them, or something else.
    """
    if generator is None or isinstance(generator, torch.Generator):
        return generator
    if not isinstance(generator, Sequence) or not all(isinstance(one, torch.Generator) for one in generator):
        raise UsageError(f"generator is {generator!r:.80}: give a torch.Generator, or a list of them")
    if len(generator) != pictures:
        raise UsageError(f"{len(generator)} generators for {pictures} pictures: give one for each picture, or one")
    return list(generator)


def callback_tensors(
    callback: Callable[..., Any] | None, names: Sequence[str] | None, known: Sequence[str]
) -> Sequence[str]:
    """The names of the tensors that a callback is shown; those of diffusers' own callbacks name them themselves.

    Raises:
        UsageError: the callback cannot be called, or a name is not known.
    """
    if callback is not None and not callable(callback):
        raise UsageError(f"callback_on_step_end is {callback!r:.80}: give a function, or a PipelineCallback")
    if isinstance(callback, PipelineCallback | MultiPipelineCallbacks):
        names = callback.tensor_inputs
    for name in names or ():
        one_of("callback_on_step_end_tensor_inputs", name, known)
    return names or ()
