"""Beam's options on a command line that also has options of its own."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
    _BeamArgumentParser,
)
from apache_beam.runners.runner import create_runner

from face0.errors import UsageError

DEFAULT_RUNNER = "FnApiRunner"

REFUSED_RUNNERS = {
    "dask": "it drops what a DoFn emits at the end of a bundle, without an error (seen on Beam 2.77)",
    "direct": "it tries to download the Prism runner first",
    "switchingdirect": "it tries to download the Prism runner first",
    "prism": "it downloads a binary, unless --prism_location names one",
}


def split_options(argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Takes Beam's options out of a command line.

    Returns:
        Beam's options that differ from their defaults, and the arguments that are not Beam's, in order.
    """
    parser = _BeamArgumentParser(allow_abbrev=False, add_help=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    known, rest = parser.parse_known_args(list(argv))
    return {name: value for name, value in vars(known).items() if value != parser.get_default(name)}, rest


def pipeline_options(beam: Mapping[str, Any]) -> PipelineOptions:
    """The options of a pipeline; the runner is FnApiRunner (in this process) unless one is named.

    Raises:
        UsageError: there is no such runner, or it is one that must not be used here.
    """
    options = PipelineOptions([], **beam)
    standard = options.view_as(StandardOptions)
    standard.runner = standard.runner or DEFAULT_RUNNER
    name = standard.runner.rsplit(".", 1)[-1].lower().removesuffix("runner")
    if name in REFUSED_RUNNERS and not (name == "prism" and beam.get("prism_location")):
        raise UsageError(
            f"--runner={standard.runner} is refused: {REFUSED_RUNNERS[name]}; "
            f"use {DEFAULT_RUNNER}, or a runner for clusters"
        )
    try:
        create_runner(standard.runner)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"--runner={standard.runner} cannot be used: {error}") from error
    # Jobs pickle nothing of their main module.
    options.view_as(SetupOptions).save_main_session = False
    return options


def processes_per_machine(options: PipelineOptions) -> int:
    """How many worker processes share this machine's cores, as far as the options tell."""
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode != "multi_processing":
        return 1
    return direct.direct_num_workers or os.cpu_count() or 1  # to Beam 0 means one for each core
