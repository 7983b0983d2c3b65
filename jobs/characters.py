"""Characters that stay themselves: renders faces in scenes, and says of each whether it is the same one in all.

  face0 characters --model model --faces bank.parquet --scenes scenes.txt --judge onnx:arcface.onnx --output out
  face0 characters --model model --random 20 --space space --scenes scenes.txt --embedder vggface2 --output out
  open out/report.html

The images are compared by the model's own embedder (--embedder) and by an independent one (--judge), which is the one
to go by. Run the same command again to go on after an interruption; Beam's options are taken too.

exit codes: 0 done; 1 more requests failed than --max-failures allows, or the run broke off; 2 wrong usage or
configuration
"""

import argparse
from collections.abc import Sequence

from face0.audit_arms import CONDITIONING, JUDGE
from face0.characters import RealPairs
from face0.characters_report import write_characters
from face0.face_bank import read_bank, write_bank
from face0.face_space import FaceSpace
from face0.faces import FaceFilter
from face0.generate import GenerateConfig
from face0.manifests import cross, read_prompts
from face0.photographs import FaceReader, people
from face0.real_pairs import real_pairs
from face0.results import open_results
from face0.storage import absolute, join
from jobs.options import at_least, pick_device, report
from jobs.options.rendering import add_rendering, plan_rendering
from jobs.options.settings import add_settings, settings_of
from pipelines.options import split_options


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = argparse.ArgumentParser(
        "face0 characters",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--faces", metavar="BANK", help="the characters: all faces of a bank")
    whose.add_argument("--random", type=at_least(2), metavar="N", help="or so many that are nobody's, from --space")
    add("--space", metavar="SPACE", help="output of face0 faces fit")
    add("--draw-seed", type=int, default=0, metavar="S", help="of --random (%(default)s)")
    add("--scenes", required=True, metavar="FILE", help="prompts, one on each line")
    add("--seeds", type=at_least(1), default=2, metavar="K", help="images of each character and scene (%(default)s)")
    add("--photos", metavar="DIR", help="a sub-folder of photographs for each of some real people: how alike they are")
    add("--output", required=True, metavar="URI", help="folder for renders and report")
    add_settings(parser)
    add_rendering(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    beam, rest = split_options(argv)
    parser = arguments()
    args = parser.parse_args(rest)
    if (args.random is None) != (args.space is None):
        parser.error("--random and --space go together")
    if not args.embedder and not args.judge:
        parser.error("give --embedder or --judge, or both: without one nothing can tell whose face it is")
    output, scenes, faces = absolute(args.output), read_prompts(args.scenes), args.faces
    if args.random:
        space, faces = FaceSpace.load(args.space), join(output, "faces.parquet")
        drawn = space.faces(args.draw_seed, args.random, args.space)
        write_bank(faces, drawn, space.record.dim, space.record.embedder)
    bank = read_bank(faces)
    names, _ = bank.vectors()
    manifest = cross(scenes, names, range(args.seeds), settings_of(args))
    rendering = plan_rendering(args, manifest, bank, join(output, "renders"), beam)
    success = rendering.run()
    code = report(join(args.output, "renders"), success, args.max_failures, lambda ledger: ledger.of_requests)
    if success is None:
        return code
    config = rendering.load.config
    identity = config.embedder.load(pick_device(args.device)).identity if config.embedder else None
    real = _real(args, config, rendering.load.threads) if args.photos else []
    write_characters(output, open_results(join(output, "renders")), identity=identity, real=real)
    print(f"look at {join(args.output, 'report.html')}")
    return code


def _real(args: argparse.Namespace, config: GenerateConfig, threads: int) -> list[RealPairs]:
    device, photographs = pick_device(args.device), people(args.photos)
    pairs = []
    for encoder, embedder_config in ((JUDGE, config.judge), (CONDITIONING, config.embedder)):
        if embedder_config is not None:
            embedder = embedder_config.load(device)
            read = FaceReader(embedder, FaceFilter(), 512, device)
            pairs.append(real_pairs(photographs, read, embedder.identity, encoder, args.photos, threads))
    return pairs
