"""Stable Diffusion in one file, in the layout of its first release, as a folder's parts."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffusers import StableDiffusionPipeline
from safetensors import SafetensorError, safe_open

from face0.errors import UsageError
from face0.io.folder import Folder
from face0.model.folder import local_model
from face0.model.releases import write_settings
from face0.model.weights import quiet

_PARTS = {  # first part of the names of its weights
    "U-Net": "model.diffusion_model.",
    "VAE": "first_stage_model.",
    "text encoder": "cond_stage_model.",
}
_CONTEXT = ".attn2.to_k.weight"  # how the name of a weight ends that takes the context


def read_single_file(
    uri: str, like: str | None = None, tokenizer: str | None = None, prediction_type: str = "epsilon"
) -> StableDiffusionPipeline:
    """Reads a checkpoint, without the network and float32.

    No such file holds settings, tokenizer and scheduler. They are taken from a folder; or they are those of the
    release, 1.x or 2.x, and the tokenizer alone is taken.

    Args:
        uri: of a ``.safetensors`` file with U-Net, VAE and text encoder by their original names.
        like: URI of a folder in diffusers' layout, of a model of the same kind; weights need not be in it.
        tokenizer: instead, URI of a folder with CLIP's vocabulary.
        prediction_type: with ``tokenizer``: what the U-Net predicts, which the file does not say.

    Raises:
        UsageError: the file is not one, or its weights are not those of such a model.
    """
    if not uri.endswith(".safetensors"):
        raise UsageError(f"{uri} is no .safetensors file; others may run code and are not read: convert it first")
    settings_from = like or tokenizer
    if not settings_from:
        raise UsageError(f"{uri} holds no tokenizer: name a folder like it, or one with CLIP's vocabulary")
    source = f"--like {like}" if like else "its release"
    with _local(uri) as file, tempfile.TemporaryDirectory() as settings, quiet():
        context = _context(file, uri)
        with local_model(settings_from) as folder:
            if like:
                _copy_settings(folder, Path(settings), like)
            else:
                write_settings(context, prediction_type, folder, Path(settings))
        try:
            base = StableDiffusionPipeline.from_single_file(
                str(file), config=settings, local_files_only=True, safety_checker=None
            )
        except Exception as error:  # diffusers raises nearly any type for what does not fit
            raise UsageError(f"{uri} does not fit to the settings of {source}: {error}") from error
    for name in ("unet", "vae", "text_encoder"):
        if empty := [at for at, held in getattr(base, name).named_parameters() if held.is_meta]:
            raise UsageError(f"{uri} lacks {len(empty)} weights of a {name} like that of {source}, as {empty[0]}")
    return base


def _context(file: Path, uri: str) -> int:
    """The width of what a checkpoint's U-Net is conditioned on."""
    try:
        with safe_open(file, "pt") as opened:
            names = list(opened.keys())
            if missing := [part for part, start in _PARTS.items() if not any(name.startswith(start) for name in names)]:
                raise UsageError(
                    f"{uri} holds no {', '.join(missing)} by the names of Stable Diffusion's first release, as "
                    f"{_PARTS['U-Net']}...: give a whole checkpoint"
                )
            conditioned = [name for name in names if name.startswith(_PARTS["U-Net"]) and name.endswith(_CONTEXT)]
            return int(opened.get_slice(conditioned[0]).get_shape()[1]) if conditioned else 0
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{uri} is not a file of safetensors: {error}") from error


@contextmanager
def _local(uri: str) -> Iterator[Path]:
    """The file on a local disk: itself, or a copy."""
    folder, name = Folder.of_file(uri)
    if not folder.is_file(name):
        raise UsageError(f"there is no file {uri}")
    if folder.is_local:
        with folder.local() as place:
            yield place / name
        return
    with tempfile.TemporaryDirectory() as copy:
        with folder.open(name) as source, Path(copy, name).open("wb") as out:
            shutil.copyfileobj(source, out, 2**24)
        yield Path(copy, name)


def _copy_settings(folder: Path, to: Path, uri: str) -> None:
    """Copies what is no weight of a folder: diffusers loads weights that it finds beside the settings."""
    if not (folder / "model_index.json").is_file():
        raise UsageError(f"--like {uri} is not a diffusers folder (it has no model_index.json): give a whole one")
    shutil.copytree(
        folder, to, ignore=shutil.ignore_patterns("*.safetensors", "*.bin", "safety_checker"), dirs_exist_ok=True
    )
