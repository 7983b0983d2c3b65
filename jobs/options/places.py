"""The option that says where somebody is looked for."""

from jobs.options.parser import Options


def add_places(parser: Options) -> None:
    """Adds the option."""
    parser.add_argument("--in", dest="places", action="append", required=True, metavar="URI",
        help="output of face0 augment, generate, characters, audit, train or faces, or latents; may be repeated",
    )  # fmt: skip
