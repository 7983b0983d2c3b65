"""What jobs that render and measure a sweep share: its faces, its images, and the encoder to measure them with."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from face0.errors import UsageError
from face0.faces.bank import FaceBank, write_bank
from face0.faces.space import FaceSpace
from face0.generation.generator import GenerateConfig
from face0.generation.results import Results, open_results
from face0.io.storage import absolute, join
from jobs.options import pick_device, report
from jobs.options.rendering import add_rendering, plan_rendering
from jobs.options.settings import add_settings


def add_sweep(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add = parser.add_argument
    add("--draw-seed", type=int, default=0, metavar="S", help="of --random (%(default)s)")
    add("--output", required=True, metavar="URI", help="folder for renders and report")
    add_settings(parser)
    add_rendering(parser)


def check_sweep(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Ends with exit code 2 if nothing could measure the faces."""
    if not args.embedder and not args.judge:
        parser.error("give --embedder or --judge, or both: without one nothing can tell whose face it is")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep that was rendered.

    Attributes:
        renders: its images.
        config: of the measures.
        device: of torch.
        threads: of this process.
    """

    renders: Results
    config: GenerateConfig
    device: str
    threads: int


def drawn(args: argparse.Namespace, space: FaceSpace, count: int) -> FaceBank:
    """So many faces of ``--space``, by ``--draw-seed``."""
    faces = {face.face_id: face for face in space.faces(args.draw_seed, count, args.space)}
    return FaceBank(faces=faces, dim=space.record.dim, embedder=space.record.embedder).identified(args.weights)


def run_sweep(
    args: argparse.Namespace, manifest: pa.Table, bank: FaceBank, beam: Mapping[str, Any]
) -> tuple[int, Sweep | None]:
    """Renders a sweep into ``OUT/renders``, or what is left of it; faces that were drawn lie in ``OUT/faces.parquet``.

    Returns:
        The job's exit code, and the sweep; None: tasks are missing.

    Raises:
        UsageError: the folder holds images that this sweep does not ask for, which would be measured with it; or see
            ``plan_rendering``.
    """
    renders = join(absolute(args.output), "renders")
    rendering = plan_rendering(args, manifest, bank, renders, beam)
    plan = rendering.generation.requests
    if plan.unasked:
        raise UsageError(
            f"{renders} holds {plan.unasked:,} requests that are not of this sweep, for its prompts, faces, seeds, "
            "settings or deny list were others: give another --output (a sweep may grow by prompts and faces), or "
            "remove denied faces by face0 forget first"
        )
    if args.random:
        faces = [face for face in bank.faces.values() if face.face_id not in plan.forgotten]
        write_bank(join(args.output, "faces.parquet"), faces, bank.dim, bank.embedder)
    success = rendering.run()
    exit_code = report(join(args.output, "renders"), success, args.max_failures, lambda ledger: ledger.of_requests)
    if success is None:
        return exit_code, None
    config, device = rendering.load.config, pick_device(args.device)
    return exit_code, Sweep(renders=open_results(renders), config=config, device=device, threads=rendering.load.threads)
