"""Beam's options as the jobs use them: which runner, and how many processes of it share a machine."""

import os
from collections.abc import Sequence

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, SetupOptions, StandardOptions
from apache_beam.runners.runner import create_runner

from face0.errors import UsageError
from face0.runtime.devices import pick_device

DEFAULT_RUNNER = "FnApiRunner"

REFUSED_RUNNERS = {
    "dask": "it drops what a DoFn emits at the end of a bundle, without an error (seen on Beam 2.77)",
    "direct": "it tries to download the Prism runner first",
    "switchingdirect": "it tries to download the Prism runner first",
    "prism": "it downloads a binary, unless --prism_location names one",
}


def pipeline_options(flags: Sequence[str]) -> PipelineOptions:
    """The options of a pipeline; the runner is FnApiRunner (in this process) unless one is named.

    Args:
        flags: Beam's, as ``pipelines.flags.split_flags`` finds them.

    Raises:
        UsageError: there is no such runner, or it is one that must not be used here.
    """
    options = PipelineOptions(list(flags))
    standard = options.view_as(StandardOptions)
    standard.runner = standard.runner or DEFAULT_RUNNER
    name = _short_name(options)
    if name in REFUSED_RUNNERS and not (name == "prism" and options.get_all_options().get("prism_location")):
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


def is_local(options: PipelineOptions) -> bool:
    """Whether the pipeline runs in this process."""
    return _short_name(options) in ("fnapi", "bundlebaseddirect")


def worker_processes(options: PipelineOptions, asked: int | None = None) -> int:
    """How many processes of a machine, or of each worker of a cluster, do tasks; 0: they are done where Beam is.

    Args:
        options: of the pipeline. ``--direct_num_workers=N`` asks for N too, with multi_processing or multi_threading.
        asked: for how many; None: one, unless the options ask for more.
    """
    direct = options.view_as(DirectOptions)
    if asked is not None or direct.direct_running_mode == "in_memory":
        return 1 if asked is None else asked
    return direct.direct_num_workers or os.cpu_count() or 1  # to Beam 0 means one for each core


def spread(options: PipelineOptions, processes: int) -> None:
    """Lets Beam on this machine hand out as many tasks at a time as there are processes of ours to do them.

    By threads, for which our processes work: a process of Beam's own that dies leaves it waiting for ever (Beam 2.77).
    """
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode == "multi_processing" or processes > 1:
        direct.direct_running_mode = "multi_threading"
        direct.direct_num_workers = max(processes, 1)


def check_device(name: str, options: PipelineOptions) -> None:
    """Looks for the device before the job begins, where its workers are on this machine.

    Raises:
        UsageError: see ``face0.runtime.devices.pick_device``.
    """
    if is_local(options):
        pick_device(name)


def _short_name(options: PipelineOptions) -> str:
    name: str = options.view_as(StandardOptions).runner
    return name.rsplit(".", 1)[-1].lower().removesuffix("runner")
