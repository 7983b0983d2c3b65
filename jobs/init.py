"""Makes a small base model with the layout of Stable Diffusion and random weights, to train on small data.

  face0 init --preset small --fit-vae OUT --output BASE
  face0 init --from-single-file model.safetensors --tokenizer FOLDER --output BASE

The second command converts a checkpoint that is one file into the folder that train takes. Its settings are those of
Stable Diffusion 1.x or 2.x, or of --like FOLDER; CLIP's vocabulary is in neither the file nor a library, so it is asked
for.
Nothing is downloaded: tokenizer and text encoder are made too. Without --fit-vae the model cannot show pictures, which
does for tests. OUT is an output folder of face0 augment.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from face0 import model, runtime, shards
from face0.errors import UsageError
from face0.io.cards import CARD
from face0.io.folder import Folder
from face0.io.secrets import public
from face0.model.presets import BASE_PRESETS
from jobs.options.shards import add_embedder_from
from jobs.options.values import at_least

if TYPE_CHECKING:
    import torch
    from diffusers import AutoencoderKL, StableDiffusionPipeline
from jobs.options.parser import job_parser


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("init", __doc__)
    add = parser.add_argument
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--preset", choices=BASE_PRESETS,
        help="tiny: 0.2 M parameters in the U-Net; small: 7 M; for 64 px")  # fmt: skip
    source.add_argument("--from-single-file", metavar="FILE",
        help="a Stable Diffusion 1.x or 2.x as one .safetensors file; takes --like or --tokenizer")  # fmt: skip
    settings = parser.add_mutually_exclusive_group()
    settings.add_argument("--tokenizer", metavar="FOLDER", help="for --from-single-file: CLIP's vocabulary, as the "
        "folder tokenizer of any Stable Diffusion, or of openai/clip-vit-large-patch14")  # fmt: skip
    settings.add_argument("--like", metavar="FOLDER", help="for --from-single-file: a diffusers folder of the same "
        "kind of model, whose settings, tokenizer and scheduler are taken; its weights need not be there")  # fmt: skip
    add("--output", required=True, metavar="URI", help="folder for the model; new, or empty")
    add("--seed", type=int, default=0, help="of the weights (%(default)s)")
    add("--prediction-type", choices=("epsilon", "v_prediction"), default="epsilon",
        help="what the U-Net predicts; 2.x for 768 px: v_prediction (%(default)s)")  # fmt: skip
    add("--fit-vae", action="append", default=[], metavar="OUT", help="fit the VAE to the images of these shards")
    add_embedder_from(parser)
    add("--vae-steps", type=at_least(1), default=600, metavar="N", help="steps of 32 images (%(default)s)")
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    args = arguments().parse_args(argv)
    output = Folder(args.output)
    if output.entries():
        raise UsageError(f"--output {args.output} is not empty: give another, or remove it")
    if args.from_single_file:
        base = _of_single_file(args)
    else:
        base = model.base_model(BASE_PRESETS[args.preset], args.seed, args.prediction_type)
    if args.fit_vae:
        data = shards.FaceShards(args.fit_vae, holdout=shards.Holdout(count=0), embedder_from=args.embedder_from)
        _fit(base.vae, data, args.vae_steps, args.seed)
    with tempfile.TemporaryDirectory() as folder:
        base.save_pretrained(folder, safe_serialization=True)
        model.complete_for_older_readers(Path(folder))
        Path(folder, CARD).write_text(_card(args, base))
        for file in sorted(Path(folder).rglob("*")):
            if file.is_file():
                with output.write(file.relative_to(folder).as_posix()) as out:
                    out.write(file.read_bytes())
    output.drop_partial()
    print(f"{args.output}: a base model for images of {_side(base)} px")
    return 0


def _side(base: "StableDiffusionPipeline") -> int:
    return int(base.unet.config.sample_size * 2 ** (len(base.vae.config.block_out_channels) - 1))


def _of_single_file(args: argparse.Namespace) -> "StableDiffusionPipeline":
    if not args.like and not args.tokenizer:
        raise UsageError(
            "--from-single-file takes --like FOLDER, a diffusers folder of the same kind of model; or --tokenizer "
            "FOLDER, CLIP's vocabulary: the folder tokenizer of a Stable Diffusion, or of openai/clip-vit-large-patch14"
        )
    if args.fit_vae or (args.like and args.prediction_type != "epsilon"):
        raise UsageError("--fit-vae goes with --preset, and --prediction-type not with --like, which has its own")
    return model.read_single_file(args.from_single_file, args.like, args.tokenizer, args.prediction_type)


def _card(args: argparse.Namespace, base: "StableDiffusionPipeline") -> str:
    facts = {
        "images": f"{_side(base)} px",
        "predicts": base.scheduler.config.prediction_type,
        "parameters of the U-Net": f"{base.unet.num_parameters():,}",
    }
    if args.from_single_file:
        name = public(args.from_single_file).rsplit("/", 1)[-1]
        return model.base_card(f"A Stable Diffusion checkpoint, converted from the file `{name}`.", facts)
    facts["seed"] = str(args.seed)
    fitted = "" if args.fit_vae else ", VAE included: it makes no pictures, which does for tests"
    if args.fit_vae:
        facts["VAE"] = f"fitted to photographs, {args.vae_steps:,} steps"
    return model.base_card(
        f"A small Stable Diffusion of the preset `{args.preset}` with random weights{fitted}.", facts
    )


def _fit(vae: "AutoencoderKL", data: "shards.FaceShards", steps: int, seed: int) -> None:
    batches = data.batches(batch=32, resolution=vae.config.sample_size, slots=1, seed=seed)

    def images() -> "Iterator[torch.Tensor]":
        for batch in batches:
            if not batch.keys:
                raise UsageError(f"the images of {', '.join(data.uris)} do not decode: {batch.failed[0][1]}")
            yield batch.images

    with runtime.ProgressBar(total=steps, unit="steps of the VAE") as bar:
        for loss in model.fit_vae(vae, images(), steps, seed):
            bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
            bar.update()
