"""Sweeps: images that are rendered to be measured together, as characters and audit do."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from face0.errors import UsageError
from face0.faces.bank import FaceBank, write_bank
from face0.generation.config import GenerateConfig
from face0.generation.results import Results, open_results
from face0.io.storage import join
from face0.reports.sweeps import DRAWN, RENDERS
from face0.runtime.devices import pick_device
from pipelines.rendering import RenderOptions, plan_rendering
from schemas.job import Success


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep that was rendered.

    Attributes:
        success: of the renders; None: tasks are missing, and nothing can be measured yet.
        uri: of the renders.
        config: of the measures.
        device: of torch.
        threads: of this process.
    """

    success: Success | None
    uri: str
    config: GenerateConfig
    device: str
    threads: int

    def results(self) -> Results:
        """Opens the results of the renders, to measure. Raises UsageError as ``open_results`` does."""
        return open_results(self.uri)


def render_sweep(
    manifest: pa.Table, bank: FaceBank, output: str, render: RenderOptions, flags: Sequence[str], drawn: bool
) -> Sweep:
    """Renders a sweep into ``OUT/renders``, or what is left of it.

    Args:
        manifest: of the schema MANIFEST.
        bank: of its faces.
        output: URI of the folder.
        render: how.
        flags: Beam's.
        drawn: whether the faces come from a space: then they are written to ``OUT/faces.parquet``.

    Raises:
        UsageError: the folder holds images that this sweep does not ask for, which would be measured with it; or see
            ``plan_rendering``.
    """
    renders = join(output, RENDERS)
    rendering = plan_rendering(manifest, bank, renders, render, flags)
    plan = rendering.generation.requests
    if plan.unasked:
        raise UsageError(
            f"{renders} holds {plan.unasked:,} requests that are not of this sweep, for its prompts, faces, seeds, "
            "settings or deny list were others: give another --output (a sweep may grow by prompts and faces), or "
            "remove denied faces by face0 forget first"
        )
    if drawn:
        faces = [face for face in bank.faces.values() if face.face_id not in plan.forgotten]
        write_bank(join(output, DRAWN), faces, bank.dim, bank.embedder)
    success = rendering.run()
    return Sweep(
        success=success,
        uri=renders,
        config=rendering.config,
        device=pick_device(render.device),
        threads=rendering.threads,
    )
