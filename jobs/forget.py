"""Finds people in shards, banks and generated images, and with --apply takes them out.

  face0 forget --faces anna.parquet --threshold 0.5 --in shards --in people.parquet --in renders
  face0 forget --photos anna/ --embedder vggface2 --threshold 0.5 --in shards --in renders --apply

Without --apply it changes nothing: look at the list first. A threshold that is too low takes strangers, one that is
too high leaves photographs: docs/results/lfw-people.md has figures. Name all places together, so that what was made of
the people in one is found in another; while this runs, no other job may write there. Run the same command again to go
on after an interruption.
"""

import argparse
from collections.abc import Sequence

from face0 import embedders, faces, privacy, runtime
from face0.augmentation.config import AugmentConfig
from face0.detection.detections import FaceFilter
from face0.detection.limits import PYRAMID_MAX_SIDE
from face0.errors import UsageError
from face0.io.json import write_json
from jobs.options.embedder import add_embedder_details, embedder_of
from jobs.options.parser import job_parser
from jobs.options.places import add_places
from jobs.options.values import at_least, between

SHOWN = 20  # names of a place that are printed
NOUNS = {
    "shards": "rows",
    "bank": "faces",
    "renders": "requests",
    "model": "files of pictures",
    "latents": "files of latents",
    "space": "vectors of its sample",
}


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("forget", __doc__)
    add = parser.add_argument
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("--photos", metavar="DIR", help="photographs of the people, or a folder of them for each")
    whom.add_argument("--faces", metavar="BANK", help="bank of their faces")
    add("--threshold", type=between(0, 1, float), required=True, metavar="T",
        help="cosine of identity vectors from which a face counts as one of theirs")  # fmt: skip
    add("--mostly-theirs", action="store_true",
        help="most photographs of the places show these people: take the threshold though most of the faces pass it",
    )  # fmt: skip
    add_places(parser)
    add("--apply", action="store_true", help="remove what is found")
    add("--json", metavar="FILE", help="write the whole list there")
    add(
        "--embedder", metavar="SPEC", help="for --photos, the one of the places: vggface2, casia, onnx:URI, random:SEED"
    )
    add("--resolution", type=between(1, PYRAMID_MAX_SIDE), default=AugmentConfig.resolution, metavar="PX",
        help="for --photos: side of the square that is looked at, as of the shards (%(default)s)")  # fmt: skip
    add("--device", default="auto", help="for --photos: auto, cpu or cuda (%(default)s)")
    add("--threads", type=at_least(1), metavar="N", help="for --photos: CPU threads")
    add_embedder_details(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    args = arguments().parse_args(argv)
    locations = privacy.classify(args.places)
    people = _of_photographs(args) if args.photos else _of_bank(args)
    findings = privacy.look_for(people, locations, mostly_theirs=args.mostly_theirs)
    print(as_text(findings))
    if args.json:  # before anything goes: what was removed cannot be listed again
        write_json(args.json, {**findings.to_dict(), "applied": args.apply})
    if args.apply:
        privacy.forget(findings)
        print("removed")
    else:
        print("nothing was changed; --apply removes what is listed")
    return 0


def as_text(findings: "privacy.Findings") -> str:
    """What was found where, for a person."""
    lines = []
    for place in findings.places:
        lines.append(f"{place.uri}: {len(place.found):,} of {place.size:,} {NOUNS[place.kind]}{_remarks(place)}")
        lines += [f"  {match.name}  {match.why}" for match in place.found[:SHOWN]]
        if len(place.found) > SHOWN:
            lines.append(f"  and {len(place.found) - SHOWN:,} more: --json FILE lists them all")
    return "\n".join(lines)


def _remarks(place: "privacy.LocationMatches") -> str:
    leftovers = f"; {len(place.leftovers):,} files that an earlier removal has left" if place.leftovers else ""
    sweep = "; and the report of the sweep, which its command writes anew" if place.found and place.sweep else ""
    note = f"; {place.note}" if place.note else ""
    return (
        leftovers + sweep + note + ("" if place.finished else "; not finished: what its job still does may bring more")
    )


def _of_bank(args: argparse.Namespace) -> "privacy.Subjects":
    bank = faces.read_bank(args.faces)
    identity = embedders.identity_of(bank.embedder, args.weights)
    return privacy.subjects_of(args.faces, bank, args.threshold, identity)


def _of_photographs(args: argparse.Namespace) -> "privacy.Subjects":
    if not args.embedder:
        raise UsageError("--photos needs --embedder: name the one that made the vectors in the places")
    device = runtime.pick_device(args.device)
    config = embedder_of(args)
    embedder = config.load(device)
    reader = faces.FaceReader(embedder, FaceFilter(), args.resolution, device)
    photographs = faces.photographs_by_person(args.photos)
    bank = faces.FaceBank(
        faces={
            face.face_id: face
            for face in faces.from_photographs(photographs, reader, runtime.threads_per_process(args.threads))
        },
        dim=embedder.dim,
        embedder={name: str(value) for name, value in config.metadata().items()},
    )
    return privacy.subjects_of(args.photos, bank, args.threshold, embedder.identity)
