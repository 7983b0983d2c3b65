"""Makes a small base model with the layout of Stable Diffusion and random weights, to train on small data.

  face0 init --preset small --fit-vae OUT --output BASE

Nothing is downloaded: tokenizer and text encoder are made too. Without --fit-vae the model cannot show pictures, which
does for tests. OUT is an output folder of face0 augment.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from face0 import model, shards
from face0.errors import UsageError
from face0.io.folder import Folder
from face0.model.presets import BASE_PRESETS
from jobs.options.values import at_least

if TYPE_CHECKING:
    import torch
    from diffusers import AutoencoderKL
from jobs.options.parser import job_parser


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("init", __doc__)
    add = parser.add_argument
    add(
        "--preset",
        required=True,
        choices=BASE_PRESETS,
        help="tiny: 0.2 M parameters in the U-Net; small: 7 M; for 64 px",
    )
    add("--output", required=True, metavar="URI", help="folder for the model; new, or empty")
    add("--seed", type=int, default=0, help="of the weights (%(default)s)")
    add("--prediction-type", choices=("epsilon", "v_prediction"), default="epsilon",
        help="what the U-Net predicts (%(default)s)")  # fmt: skip
    add("--fit-vae", action="append", default=[], metavar="OUT", help="fit the VAE to the images of these shards")
    add("--vae-steps", type=at_least(1), default=600, metavar="N", help="steps of 32 images (%(default)s)")
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    args = arguments().parse_args(argv)
    output = Folder(args.output)
    if output.entries():
        raise UsageError(f"--output {args.output} is not empty: give another, or remove it")
    base = model.base_model(BASE_PRESETS[args.preset], args.seed, args.prediction_type)
    if args.fit_vae:
        _fit(base.vae, args.fit_vae, args.vae_steps, args.seed)
    with tempfile.TemporaryDirectory() as folder:
        base.save_pretrained(folder, safe_serialization=True)
        for file in sorted(Path(folder).rglob("*")):
            if file.is_file():
                with output.write(file.relative_to(folder).as_posix()) as out:
                    out.write(file.read_bytes())
    output.drop_partial()
    print(f"{args.output}: a base model for images of {base.vae.config.sample_size} px")
    return 0


def _fit(vae: "AutoencoderKL", uris: Sequence[str], steps: int, seed: int) -> None:
    data = shards.FaceShards(uris, holdout=shards.Holdout(count=0))
    batches = data.batches(batch=32, resolution=vae.config.sample_size, slots=1, seed=seed)

    def images() -> "Iterator[torch.Tensor]":
        for batch in batches:
            if not batch.keys:
                raise UsageError(f"the images of {', '.join(uris)} do not decode: {batch.failed[0][1]}")
            yield batch.images

    started = shown = time.monotonic()
    for step, loss in enumerate(model.fit_vae(vae, images(), steps, seed), start=1):
        if step == steps or time.monotonic() - shown > 10:
            shown = time.monotonic()
            left = (shown - started) / step * (steps - step)
            print(f"VAE: step {step:,}/{steps:,}, loss {loss:.4f}, {left:.0f} s left", file=sys.stderr, flush=True)
