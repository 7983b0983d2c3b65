"""The options that say how images are sampled, alike in all jobs that ask for some."""

import argparse

from face0.generation.manifest import DEFAULTS
from face0.model.guidance import GUIDANCE_PRESETS
from face0.model.samplers import SAMPLERS
from jobs.options.values import at_least, between, numbers, size


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Adds the settings that all images of a manifest share."""
    settings = parser.add_argument_group("the images")
    add = settings.add_argument
    presets = "; ".join(f"{name}: c {preset.c:g}, a {preset.a:g}" for name, preset in GUIDANCE_PRESETS.items())
    add("--guidance", choices=GUIDANCE_PRESETS, default="photo", help=f"{presets} (%(default)s)")
    add("--w", type=float, help=f"guidance against nothing ({GUIDANCE_PRESETS['photo'].w:g})")
    add("--c", type=float, help="of text and face together, in place of the preset's")
    add("--a", type=float, help="of the face alone against the text alone, in place of the preset's")
    add("--guidance-interval", type=numbers(2), default=(0.0, 1.0), metavar="FROM,TO",
        help="shares of the steps between which guidance applies (0,1)")  # fmt: skip
    add("--rescale", type=between(0, 1, float), default=0.0,
        help="of the guided prediction to the spread without w, against glaring colours (%(default)s)")  # fmt: skip
    add("--sigma", type=at_least(0, float), default=0.0,
        help="noise on each face, in units of its root mean square: variety from one face (%(default)s)")  # fmt: skip
    add("--negative-prompt", default="", metavar="TEXT", help="in place of the empty prompt")
    add("--sampler", choices=SAMPLERS, default=DEFAULTS["sampler"], help="of diffusers (%(default)s)")
    add("--steps", type=at_least(1), default=DEFAULTS["steps"], metavar="N", help="of the sampler (%(default)s)")
    add("--size", type=size, default=(0, 0), metavar="PX|WxH", help="of the image (the model's own)")


def settings_of(args: argparse.Namespace) -> dict[str, object]:
    """The settings as columns of a manifest."""
    preset = GUIDANCE_PRESETS[args.guidance]
    return {
        "w": preset.w if args.w is None else args.w,
        "c": preset.c if args.c is None else args.c,
        "a": preset.a if args.a is None else args.a,
        "guide_from": args.guidance_interval[0],
        "guide_to": args.guidance_interval[1],
        "rescale": args.rescale,
        "sigma": args.sigma,
        "negative_prompt": args.negative_prompt,
        "sampler": args.sampler,
        "steps": args.steps,
        "width": args.size[0],
        "height": args.size[1],
    }
