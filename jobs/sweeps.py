"""Renders a sweep, and reports on it, as audit and characters do before they measure it."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pipelines
from face0 import faces
from face0.io.storage import absolute, join
from jobs.options.rendering import render_options
from jobs.outcome import report_requests

if TYPE_CHECKING:
    import pyarrow as pa


def render_sweep(
    args: argparse.Namespace, manifest: "pa.Table", bank: "faces.FaceBank", flags: Sequence[str], *, drawn: bool
) -> "tuple[int, pipelines.Sweep]":
    """Renders what is left of a sweep into ``OUT/renders`` and says how it went.

    Args:
        args: of a parser with ``add_sweep``.
        manifest: of the schema MANIFEST.
        bank: of its faces.
        flags: Beam's.
        drawn: whether the faces come from a space.

    Returns:
        The job's exit code, and the sweep, whose ``success`` is None if tasks are missing.
    """
    sweep = pipelines.render_sweep(manifest, bank, absolute(args.output), render_options(args), flags, drawn)
    return report_requests(join(args.output, "renders"), sweep.success, args.max_failures), sweep
