"""What jobs that render share: their options, and the way from a manifest and a bank to images."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from face0.embedders.metadata import refuse_other_embedder
from face0.embedders.specification import embedder_config
from face0.errors import UsageError
from face0.faces.bank import FaceBank
from face0.faces.deny_list import read_deny
from face0.generation.clip import check_clip
from face0.generation.generator import GenerateConfig, Unsafe
from face0.generation.image_files import FORMATS
from face0.generation.plan import join_requests
from face0.io.json import to_json_values
from face0.model.folder import ModelFolder, inspect_model
from face0.reports.generation.page import write_report
from jobs.options import at_least, between, failure_budget, pick_device, threads_per_process
from jobs.options.embedder import add_embedder_details, embedder_of
from pipelines.generation import Generation, LoadGenerator
from pipelines.options import pipeline_options, processes_per_machine
from schemas.failures import Reason
from schemas.job import Success


def add_rendering(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--model", required=True, metavar="DIR", help="output of face0 train")
    measures = parser.add_argument_group("measures")
    add = measures.add_argument
    add("--embedder", metavar="SPEC", help="the one of the model's shards, to see whether an image has the face asked "
        "for: vggface2, casia, onnx:URI, random:SEED (without it: not measured)")  # fmt: skip
    add("--judge", metavar="SPEC", help="an independent one, onnx:URI: compares with the bank's portraits")
    add("--clip", metavar="URI", help="folder of a CLIP model of transformers: alignment with text and face")
    add_embedder_details(parser)
    people = parser.add_argument_group("people")
    people.add_argument("--deny", metavar="BANK", help="whose faces are not to be rendered; takes --embedder")
    people.add_argument("--deny-threshold", type=between(0, 1, float), metavar="T",
        help="cosine of identity vectors from which two faces count as one person's, see docs/privacy.md")  # fmt: skip
    files = parser.add_argument_group("files")
    add = files.add_argument
    add("--image-format", choices=FORMATS, default="png", help="(%(default)s)")
    add("--quality", type=between(1, 100), default=92, help="of WebP and JPEG (%(default)s)")
    add("--unsafe", choices=[*Unsafe], default=Unsafe.BLUR, type=Unsafe,
        help="what becomes of an image that the base's safety checker flags (%(default)s)")  # fmt: skip
    running = parser.add_argument_group("running")
    add = running.add_argument
    add("--batch", type=at_least(1), default=8, metavar="N",
        help="images at once, halved if they do not fit into memory (%(default)s)")  # fmt: skip
    add("--model-precision", choices=("auto", "fp32"), default="auto",
        help="auto: bfloat16 on a GPU that multiplies in it (%(default)s)")  # fmt: skip
    add("--requests-per-task", type=at_least(1), default=64, metavar="N", help="(%(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (%(default)s)")
    add(
        "--threads",
        type=at_least(1),
        metavar="N",
        help="of each worker process: the model's on a CPU, else those that measure and write beside it",
    )
    add("--max-failures", type=failure_budget, default="1%", metavar="N|P%", help="failed rows allowed (%(default)s)")


def _config(args: argparse.Namespace, model: ModelFolder) -> GenerateConfig:
    """What the options say of measures and files.

    Raises:
        UsageError: an embedder is not there, or not the model's.
    """
    embedder = embedder_of(args) if args.embedder else None
    if embedder is not None:
        refuse_other_embedder(
            f"--embedder {args.embedder}", embedder.metadata(), f"--model {args.model}", model.embedder
        )
    if args.judge and not args.judge.startswith("onnx:"):
        raise UsageError(f"--judge {args.judge}: give onnx:URI, the file of an independent face recogniser")
    return GenerateConfig(
        model=model.uri,
        fingerprint=model.facts.fingerprint,
        precision=args.model_precision,
        image_format=args.image_format,
        quality=args.quality,
        unsafe=args.unsafe,
        embedder=embedder,
        judge=embedder_config(args.judge).resolve() if args.judge else None,
        clip=check_clip(args.clip) if args.clip else None,
    )


def _denied(args: argparse.Namespace, bank: FaceBank, config: GenerateConfig) -> set[str]:
    """The faces of a bank that are like one of ``--deny``.

    Raises:
        UsageError: the options do not go together, or the banks do not.
    """
    if (args.deny is None) != (args.deny_threshold is None):
        raise UsageError("--deny and --deny-threshold go together: give both, or neither")
    if not args.deny:
        return set()
    if config.embedder is None:
        raise UsageError("--deny needs --embedder, the one of the model's shards, to tell whose faces are alike")
    listed = read_deny(args.deny, args.deny_threshold, config.embedder.metadata())
    embedder = config.embedder.load(pick_device(args.device))
    names, vectors = bank.vectors()
    matches = listed.load(embedder.identity).matches(embedder.identity(vectors))
    return {name for name, match in zip(names, matches, strict=True) if match}


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """A generation with what runs it. Made by ``plan_rendering``, which writes nothing."""

    generation: Generation
    load: LoadGenerator
    repeated: int  # rows of the manifest that ask for an image again
    beam: Mapping[str, Any]  # options of the pipeline

    def run(self) -> Success | None:
        """Renders what is left and writes the contact sheet; says what a person must know. None: tasks are missing."""
        if self.repeated:
            print(f"{self.repeated:,} rows ask for an image twice; each is rendered once", file=sys.stderr)
        output = self.generation.job.folder.uri
        success = self.generation.run(self.load, pipeline_options(self.beam))
        if success is not None and success.ledger.written:
            write_report(output)
        if success is not None and (cut := success.totals.get("prompts cut")):
            print(
                f"{cut:,} images have prompts that are too long before the face's slots: see tokens_lost in results/",
                file=sys.stderr,
            )
        return success


def plan_rendering(
    args: argparse.Namespace,
    manifest: pa.Table,
    bank: FaceBank | None,
    output: str,
    beam: Mapping[str, Any],
    retry: Sequence[Reason] = (),
) -> Rendering:
    """Plans the images of a manifest.

    Args:
        args: of a parser with ``add_rendering``.
        manifest: of the schema MANIFEST.
        bank: of its faces; None: it has none.
        output: URI of the folder.
        beam: options of the pipeline that will run it.
        retry: reasons for which failed requests are tried again.

    Raises:
        UsageError: model, bank and embedder do not go together, or the folder holds something else.
    """
    model = inspect_model(args.model)
    config = _config(args, model)
    bank = bank or FaceBank(faces={}, dim=model.facts.dim, embedder=model.embedder)
    refuse_other_embedder("the faces", bank.embedder, f"--model {args.model}", model.embedder)
    denied = _denied(args, bank, config)
    requests, repeated = join_requests(manifest, bank, model.facts, config.needs_portraits, denied)
    recorded = {
        **to_json_values(config),
        "model": {"base": model.base, "step": model.step},  # by its fingerprint: the folder may have moved
        "embedder": dict(model.embedder) if config.embedder else None,
    }
    load = LoadGenerator(
        config=config,
        device=pick_device(args.device),
        batch=args.batch,
        threads=threads_per_process(args.threads, processes_per_machine(pipeline_options(beam))),
    )
    generation = Generation.plan(output, requests, recorded, args.requests_per_task, retry)
    return Rendering(generation=generation, load=load, repeated=repeated, beam=beam)
