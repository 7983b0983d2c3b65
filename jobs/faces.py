"""Makes faces as vectors: banks of them (Parquet), and the space that random ones are drawn from.

  face0 faces from-photos people --embedder vggface2 --output bank.parquet    a file or a sub-folder for each person
  face0 faces from-shards shards --key 000000042 --output bank.parquet        faces of training images
  face0 faces from-results renders --request 3f9a... --output bank.parquet    faces of generated images
  face0 faces fit shards --output space                                       what the faces of a corpus look like
  face0 faces sample space --n 100 --seed 0 --output bank.parquet             faces that are nobody's
  face0 faces interpolate bank.parquet --from anna --to bert --output mixed.parquet
  face0 faces direction bank.parquet --from plain --to moustache --face anna --strength 0.5 1 --output moved.parquet
  face0 faces noise bank.parquet --face anna --sigma 0.2 --count 8 --output varied.parquet

A bank says of each face how it was made and from what. fit takes Beam's options too (--runner, ...).

exit codes: 0 done; 1 no face has a vector, or the run broke off; 2 wrong usage or configuration
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from face0.augmentation.augmenter import AugmentConfig
from face0.detection.detections import FaceFilter
from face0.detection.integral_images import PYRAMID_MAX_SIDE
from face0.detection.mtcnn import P_NET_SIDE
from face0.errors import UsageError
from face0.faces.bank import BankFace, write_bank
from face0.faces.corpus import Corpus
from face0.faces.edits import Gallery, interpolate, perturb, translate
from face0.faces.from_shards import of_shards
from face0.faces.photographs import FaceReader, from_photographs, photographs_by_person
from face0.faces.space import FEW, FaceSpace
from face0.faces.space_fit import fit
from face0.generation.faces import of_results
from face0.generation.results import open_results
from face0.io import storage
from face0.runtime.progress import ProgressBar
from face0.shards.files import open_shards
from jobs.options import at_least, between, pick_device, threads_per_process
from jobs.options.embedder import add_embedder_details, embedder_of
from pipelines import face_space
from pipelines.options import pipeline_options, split_options

COUNTED = 100  # faces of a photograph that are counted to say how many there are


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = argparse.ArgumentParser(
        "face0 faces", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    ways = parser.add_subparsers(dest="way", required=True, metavar="WAY")
    for add_way in (_add_photos, _add_shards, _add_results, _add_fit, _add_sample, _add_edits):
        add_way(ways)
    return parser


def _add_photos(ways: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = ways.add_parser("from-photos", help="faces of photographs", allow_abbrev=False)
    parser.set_defaults(run=_from_photos)
    add = parser.add_argument
    add("photos", metavar="DIR", help="each image is a face, and each sub-folder is one with several photographs")
    add("--embedder", required=True, metavar="SPEC", help="vggface2, casia, onnx:URI, or random:SEED (for tests)")
    add("--output", required=True, metavar="BANK.parquet")
    add("--min-face", type=at_least(P_NET_SIDE, float), default=FaceFilter.min_face, metavar="PX",
        help=f"shorter side of the smallest face that counts, {P_NET_SIDE} or more (%(default)s)")  # fmt: skip
    add("--min-score", type=between(0, 1, float), default=FaceFilter.min_score, metavar="S",
        help="the detector's score from which a face counts; it finds none under 0.7 (%(default)s)")  # fmt: skip
    add("--resolution", type=between(1, PYRAMID_MAX_SIDE), default=AugmentConfig.resolution, metavar="PX",
        help="shorter side at which photographs are looked at, as of the shards (%(default)s)")  # fmt: skip
    add_embedder_details(parser)
    add("--device", default="auto", help="auto, cpu or cuda (%(default)s)")
    add("--threads", type=at_least(1), metavar="N", help="CPU threads")


def _add_shards(ways: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = ways.add_parser("from-shards", help="faces of rows of face shards", allow_abbrev=False)
    parser.set_defaults(run=_from_shards)
    add = parser.add_argument
    add("shards", nargs="+", metavar="SHARDS", help="output of face0 augment")
    add("--key", action="append", default=[], metavar="K", help="of a row; may be repeated")
    add("--keys", metavar="FILE", help="text file with a key on each line")
    add("--output", required=True, metavar="BANK.parquet")


def _add_results(ways: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = ways.add_parser("from-results", help="faces of generated images", allow_abbrev=False)
    parser.set_defaults(run=_from_results)
    add = parser.add_argument
    add("results", metavar="RENDERS", help="output of face0 generate")
    add("--request", action="append", required=True, metavar="ID", help="of an image; may be repeated")
    add("--output", required=True, metavar="BANK.parquet")


def _add_fit(ways: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = ways.add_parser("fit", help="fits the face space of face shards", allow_abbrev=False)
    parser.set_defaults(run=_fit)
    add = parser.add_argument
    add("shards", nargs="+", metavar="SHARDS", help="output of face0 augment")
    add("--output", required=True, metavar="SPACE", help="folder")
    add("--sample", type=at_least(FEW), default=20_000, metavar="N",
        help="faces that the mixture is fitted to, and draws are checked against (%(default)s)")  # fmt: skip
    add("--dims", type=at_least(1), default=64, metavar="N",
        help="principal components that the mixture is over (%(default)s)")  # fmt: skip
    add("--gaussians", type=at_least(1), default=32, metavar="N", help="of the mixture, at most (%(default)s)")
    add("--seed", type=int, default=0, help="of the mixture's start (%(default)s)")


def _add_sample(ways: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = ways.add_parser("sample", help="draws random faces from a face space", allow_abbrev=False)
    parser.set_defaults(run=_sample)
    add = parser.add_argument
    add("space", metavar="SPACE", help="output of face0 faces fit")
    add("--n", type=at_least(1), required=True, metavar="N", help="faces")
    add("--seed", type=int, default=0, help="the same faces for the same seed, and more begin alike (%(default)s)")
    add("--output", required=True, metavar="BANK.parquet")


def _add_edits(ways: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    mixed = ways.add_parser("mix", help="faces between two faces", allow_abbrev=False)
    moved = ways.add_parser("direction", help="a face moved along the difference of two", allow_abbrev=False)
    varied = ways.add_parser("noise", help="a face with noise on it", allow_abbrev=False)
    for parser, run in ((mixed, _mix), (moved, _move), (varied, _vary)):
        parser.set_defaults(run=run)
        parser.add_argument("banks", nargs="+", metavar="BANK", help="of the faces that are named")
        parser.add_argument("--output", required=True, metavar="BANK.parquet")
    for parser in (mixed, moved):
        parser.add_argument("--from", dest="start", required=True, metavar="ID")
        parser.add_argument("--to", dest="end", required=True, metavar="ID")
    mixed.add_argument("--steps", type=at_least(2), default=5, metavar="N",
        help="faces, both ends among them (%(default)s)")  # fmt: skip
    mixed.add_argument("--spherical", action="store_true", help="turn from one to the other, instead of straight on")
    moved.add_argument("--face", required=True, metavar="ID", help="that is moved")
    moved.add_argument("--strength", type=float, nargs="+", default=[1.0], metavar="S",
        help="times the difference; negative: the other way (1)")  # fmt: skip
    varied.add_argument("--face", required=True, metavar="ID")
    varied.add_argument("--sigma", type=at_least(0, float), required=True, metavar="S",
        help="of the noise, in units of the vector's root mean square")  # fmt: skip
    varied.add_argument("--count", type=at_least(1), default=1, metavar="N", help="faces (%(default)s)")
    varied.add_argument("--seed", type=int, default=0, help="of the first face; the next has the next (%(default)s)")


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    beam, rest = split_options(argv) if list(argv[:1]) == ["fit"] else ({}, list(argv))
    args = arguments().parse_args(rest)
    args.beam = beam
    code: int = args.run(args)
    return code


def _from_photos(args: argparse.Namespace) -> int:
    photographs = photographs_by_person(args.photos)
    config = embedder_of(args)
    device = pick_device(args.device)
    embedder = config.load(device)
    faces = FaceFilter(min_face=args.min_face, min_score=args.min_score, max_faces=COUNTED)
    read = FaceReader(embedder, faces, args.resolution, device)
    found = from_photographs(photographs, read, threads_per_process(args.threads, 1))
    bar = ProgressBar(found, total=len(photographs), unit="faces")
    return _write(args.output, bar, embedder.dim, config.metadata())


def _from_shards(args: argparse.Namespace) -> int:
    keys = [*args.key, *(_lines(args.keys) if args.keys else [])]
    if not keys:
        raise UsageError("no rows are named: give --key K or --keys FILE")
    shards = open_shards(args.shards)
    return _write(args.output, of_shards(shards, keys), shards[0].dim, shards[0].embedder)


def _from_results(args: argparse.Namespace) -> int:
    results = open_results(args.results)
    faces = of_results(results, args.request)
    dims = {len(face.vector) for face in faces if face.vector is not None}
    if not dims:
        raise UsageError(f"no face was found in any of these images of {args.results}: choose others")
    return _write(args.output, faces, dims.pop(), results.job["config"]["embedder"])


@dataclass(frozen=True, kw_only=True)
class FitAndSave:
    """Fits a space to a corpus and saves it, on the worker that holds the corpus."""

    uris: Sequence[str]
    embedder: Mapping[str, str]
    output: str
    dims: int
    gaussians: int
    seed: int

    def __call__(self, corpus: Corpus) -> None:
        """See the class."""
        fit(corpus, self.uris, dict(self.embedder), self.dims, self.gaussians, self.seed).save(self.output)


def _fit(args: argparse.Namespace) -> int:
    options = pipeline_options(args.beam)
    shards = open_shards(args.shards)
    output = storage.absolute(args.output)
    if (rows := sum(shard.file.rows for shard in shards)) < FEW:
        raise UsageError(f"{', '.join(args.shards)}: {rows} rows make no face space, give {FEW} or more")
    use = FitAndSave(
        uris=[storage.absolute(uri) for uri in args.shards],
        embedder=shards[0].embedder,
        output=output,
        dims=args.dims,
        gaussians=args.gaussians,
        seed=args.seed,
    )
    face_space.run(shards, args.sample, use, options)
    record = FaceSpace.load(output).record
    print(
        f"{args.output}: {record.faces:,} faces of {record.rows:,} rows, {record.gaussians} Gaussians over "
        f"{record.dims} of {record.dim} dimensions; a draw is too near to a face from a cosine of {record.too_near:.3f}"
    )
    for warning in record.warnings:
        print(f"note: {warning}", file=sys.stderr)
    return 0


def _sample(args: argparse.Namespace) -> int:
    space = FaceSpace.load(args.space)
    redrawn: list[int] = []

    def drawn() -> Iterator[BankFace]:
        for face in space.faces(args.seed, args.n, args.space):
            redrawn.append(int(face.provenance["redrawn"]))
            yield face

    code = _write(args.output, drawn(), space.record.dim, space.record.embedder)
    print(f"{sum(redrawn):,} draws came too near to a face of the corpus, and were drawn again")
    return code


def _mix(args: argparse.Namespace) -> int:
    gallery = Gallery(args.banks)
    return _edited(args, gallery, interpolate(gallery, args.start, args.end, args.steps, args.spherical))


def _move(args: argparse.Namespace) -> int:
    gallery = Gallery(args.banks)
    return _edited(args, gallery, translate(gallery, args.start, args.end, args.face, args.strength))


def _vary(args: argparse.Namespace) -> int:
    gallery = Gallery(args.banks)
    return _edited(args, gallery, perturb(gallery, args.face, args.sigma, args.count, args.seed))


def _edited(args: argparse.Namespace, gallery: Gallery, faces: Iterable[BankFace]) -> int:
    return _write(args.output, faces, gallery.dim, gallery.embedder)


def _write(output: str, faces: Iterable[BankFace], dim: int, embedder: Mapping[str, str]) -> int:
    """Writes the bank, says what there is to say of its faces, and returns the exit code."""
    without = 0

    def told() -> Iterator[BankFace]:
        nonlocal without
        for face in faces:
            if face.note:
                print(f"{face.face_id}: {face.note}", file=sys.stderr)
            without += face.vector is None
            yield face

    rows = write_bank(output, told(), dim, embedder)
    print(f"{output}: {rows:,} faces" + (f", {without:,} of them without a vector" if without else ""))
    return 1 if without == rows else 0


def _lines(uri: str) -> list[str]:
    try:
        with storage.open_uri(uri, "rt", encoding="utf-8") as file:
            return [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--keys {uri} cannot be read as text: {error}") from error
