"""Weights of a folder's parts, loaded whole or refused: none missing, none left over, none pickled."""

import json
import logging
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from face0.errors import UsageError

_log = logging.getLogger(__name__)

_STEMS = ("diffusion_pytorch_model", "model")  # of the files that the two libraries write
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".msgpack", ".h5")
_WRAPPERS = {"_orig_mod.": "torch.compile", "module.": "DistributedDataParallel"}  # who puts this before each name
_HARMLESS = ("position_ids",)  # of older text encoders: numbers that follow from the configuration
_SHOWN = 3  # names that a message gives


def variant_of(names: Collection[str], place: str) -> str | None:
    """Which of its files' names a folder's weights have beside the plain one: "fp16"; None: the plain one.

    Args:
        names: of the files in the folder.
        place: the folder, for messages.

    Raises:
        UsageError: there are no weights as safetensors, or only several variants.
    """
    plain = {f"{stem}.safetensors{end}" for stem in _STEMS for end in ("", ".index.json")}
    if plain.intersection(names):
        return None
    form = re.compile(rf"(?:{'|'.join(_STEMS)})\.([^.]+?)(?:-\d+-of-\d+)?\.safetensors")
    variants = {match[1] for name in names if (match := form.fullmatch(name))}
    if len(variants) == 1:
        _log.info("%s has only weights of the variant %s, which are loaded", place, *variants)
        return next(iter(variants))
    if variants:
        raise UsageError(
            f"{place} has no weights but the variants {', '.join(sorted(variants))}: take the name of one that is to "
            "be loaded out of its file's name"
        )
    if pickled := sorted(name for name in names if name.endswith(_PICKLED)):
        raise UsageError(
            f"{place} holds its weights as {', '.join(pickled[:_SHOWN])} alone, which may run code and are not loaded: "
            "load them with the library that made them, where you trust them, and save them by "
            "save_pretrained(DIR, safe_serialization=True)"
        )
    raise UsageError(f"{place} has no weights: {_STEMS[0]}.safetensors or {_STEMS[1]}.safetensors is missing")


def load_weights(kind: Any, folder: Path, dtype: torch.dtype | None = None) -> Any:
    """A module of diffusers or transformers from its folder, by safetensors alone and without the network.

    Args:
        kind: its class.
        folder: local, with its configuration.
        dtype: of its parameters; None: float32.

    Raises:
        UsageError: it does not load; or weights are missing, left over, or of another shape.
    """
    names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    variant = variant_of(names, str(folder))
    try:
        with quiet():
            module, report = kind.from_pretrained(
                folder, variant=variant, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
    except Exception as error:  # the libraries raise nearly any type for a folder that is not as it should be
        raise UsageError(f"{folder} does not load as {kind.__name__}: {error}") from error
    _refuse_others(module, report, folder)
    with quiet():
        return module.to(dtype or torch.float32)


def load_parts(
    folder: Path, kinds: Mapping[str, Any], dtype: torch.dtype | None = None, without: Collection[str] = ()
) -> dict[str, Any]:
    """Those parts of a pipeline's folder that are modules, by name; parts that its index leaves empty are left out.

    Args:
        folder: local, with a ``model_index.json``.
        kinds: their classes, by name.
        dtype: see ``load_weights``.
        without: parts that are not to be loaded.

    Raises:
        UsageError: see ``load_weights``.
    """
    index = json.loads((folder / "model_index.json").read_text())
    return {
        name: load_weights(kind, folder / name, dtype)
        for name, kind in kinds.items()
        if name not in without and (index.get(name) or [None])[0] is not None
    }


def refuse_plain_base(folder: Path, given: Collection[str]) -> None:
    """Raises UsageError if a pipeline's folder has no face projection, and none is given."""
    index = json.loads((folder / "model_index.json").read_text())
    if "face_projection" not in given and "face_projection" not in index:
        raise UsageError(
            f"{folder} is a {index.get('_class_name', 'pipeline')} without a face_projection: train one with "
            f"`face0 train --base {folder}`, or give face_projection=FaceProjection(...)"
        )


def dtypes_of_parts(dtype: Any) -> dict[str, torch.dtype | None]:
    """The dtype of each part by name, with ``default`` for the others.

    Args:
        dtype: one for all, a mapping as here, or None.

    Raises:
        UsageError: it is none of torch's.
    """
    dtypes = dict(dtype) if isinstance(dtype, Mapping) else {"default": dtype}
    for value in dtypes.values():
        if value is not None and not (isinstance(value, torch.dtype) and value.is_floating_point):
            raise UsageError(f"dtype {value!r}: give one of torch for real numbers, such as torch.float16")
    return dtypes


def _refuse_others(module: torch.nn.Module, report: Mapping[str, Any], folder: Path) -> None:
    left_over = [name for name in sorted(report["unexpected_keys"]) if not name.endswith(_HARMLESS)]
    missing = {*report["missing_keys"], *(name for name, held in module.named_parameters() if held.is_meta)}
    lacking = [name for name in sorted(missing) if not name.endswith(_HARMLESS)]
    for prefix, wrapper in _WRAPPERS.items():
        if any(name.startswith(prefix) for name in left_over):
            raise UsageError(
                f"{folder}: the names of its weights begin with {prefix!r}, as {wrapper} has them ({left_over[0]}): "
                "save the module within it, or take this off each name"
            )
    told = [
        f"{len(names)} {what} ({_listed(names)})"
        for what, names in (("missing", lacking), ("left over", left_over))
        if names
    ]
    if told:
        raise UsageError(
            f"{folder}: its weights are not those of its config.json: {', '.join(told)}; get the folder anew, or save "
            "it anew"
        )


def _listed(names: Collection[str]) -> str:
    shown = ", ".join([*names][:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown}, ..."


@contextmanager
def quiet() -> Iterator[None]:
    """Silences what the libraries say of weights, name by name: it is told here, and in one line."""
    libraries = [library.utils.logging for library in (diffusers, transformers)]
    before = [(library, library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    try:
        for library in libraries:
            library.set_verbosity_error()
            library.disable_progress_bar()
        yield
    finally:
        for library, level, bar in before:
            library.set_verbosity(level)
            if bar:
                library.enable_progress_bar()
