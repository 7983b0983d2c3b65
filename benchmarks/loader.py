"""Pace of the training data loader beside webdataset, Hugging Face datasets and MosaicML streaming.

  python -m benchmarks.loader --data ../shared/data

One shuffled epoch of LFW in batches of 64, from local files, each loader in its own format, with two worker processes
for the others and two threads for ours. All decode with the same function. Only ours carries embeddings of faces (made
up here: no face is looked for). Loaders take turns over some rounds, and the best of each counts; the first batch, and
what it takes to start, is told apart. The last line is the same decoding without any loader, on one core.
"""

import argparse
import gc
import itertools
import os
import platform
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from face0.detection.detections import Detections
from face0.shards.decoding import decode_into
from face0.shards.loader import FaceShards
from face0.shards.rows import FaceRow, to_batch
from face0.shards.selection import Holdout
from face0.tasks.output_folder import OutputFolder
from schemas.face_shard import face_shard

BATCH, WORKERS, SHUFFLE = 64, 2, 2048
SIDE = 250  # of every photograph of LFW
DIM = 512


@dataclass(frozen=True)
class Photograph:
    """A captioned image of a tar."""

    key: str
    caption: str
    image: bytes


@dataclass(frozen=True)
class Photographs:
    """A task: to write those of one tar as face shards."""

    uri: str

    @property
    def task_id(self) -> str:
        """The tar's name."""
        return Path(self.uri).stem


def photographs(tar: Path) -> Iterator[Photograph]:
    with tarfile.open(tar) as opened:
        members = {member.name: opened.extractfile(member).read() for member in opened if member.isfile()}
    for name, image in members.items():
        if name.endswith(".jpg"):
            yield Photograph(name[:-4], members[f"{name[:-4]}.txt"].decode(), image)


def pixels(image: bytes, side: int) -> torch.Tensor:
    """uint8 [side, side, 3]."""
    found = np.empty((side, side, 3), np.uint8)
    decode_into(found, image, (SIDE, SIDE))
    return torch.from_numpy(found)


# --- The same photographs in each format


def face_shards(tars: Sequence[Path], folder: Path) -> None:
    random = np.random.default_rng(0)
    output, schema = OutputFolder(str(folder)), face_shard(DIM, {"name": "made up"})
    face = Detections(
        boxes=np.array([[80, 60, 170, 180]], np.float32),
        scores=np.ones(1, np.float32),
        landmarks=np.zeros((1, 5, 2), np.float32),
    )
    for tar in tars:
        with output.commit(Photographs(str(tar))) as task:
            table = task.table("shards", schema)
            for each in photographs(tar):
                row = FaceRow(
                    key=each.key,
                    caption=each.caption,
                    image=each.image,
                    width=SIDE,
                    height=SIDE,
                    source=str(tar),
                    sha256="",
                    faces=face,
                    embeddings=random.normal(size=(1, DIM)),
                )
                table.write(to_batch([row], schema))
                task.ledger.read += 1
                task.ledger.written += 1
    assert output.succeed(Photographs(str(tar)).task_id for tar in tars) is not None


def mosaic_shards(tars: Sequence[Path], folder: Path) -> None:
    from streaming import MDSWriter

    columns = {"key": "str", "caption": "str", "image": "bytes"}
    with MDSWriter(out=str(folder), columns=columns, size_limit=2**23) as writer:  # shards of about 1,000 images
        for each in itertools.chain.from_iterable(map(photographs, tars)):
            writer.write(vars(each))


# --- Loaders: one epoch each, as the number of samples in each batch


def ours(folder: Path, side: int, epoch: int) -> Iterator[int]:
    shards = FaceShards([str(folder / "face0")], holdout=Holdout(count=0))
    batches = shards.batches(
        batch=BATCH, resolution=side, slots=4, seed=0, start=epoch * shards.samples, threads=WORKERS
    )
    for batch in itertools.islice(batches, -(-shards.samples // BATCH)):
        yield len(batch.keys)


def webdataset(folder: Path, side: int, epoch: int) -> Iterator[int]:
    import webdataset as wds

    def sample(found: dict[str, bytes]) -> tuple[str, str, torch.Tensor]:
        return found["__key__"], found["txt"].decode(), pixels(found["jpg"], side)

    tars = sorted(str(path) for path in (folder / "tars").glob("*.tar"))
    data = wds.WebDataset(tars, shardshuffle=len(tars), seed=epoch).shuffle(SHUFFLE // WORKERS).map(sample)
    return sizes(
        DataLoader(data.batched(BATCH, collation_fn=torch.utils.data.default_collate), None, num_workers=WORKERS)
    )


def hugging_face(folder: Path, side: int, epoch: int) -> Iterator[int]:
    from datasets import load_dataset

    def sample(found: dict[str, object]) -> dict[str, object]:
        return {**found, "image": pixels(found["image"], side)}

    files = sorted(str(path) for path in (folder / "face0" / "shards").glob("*.parquet"))
    columns = ["key", "caption", "image"]
    data = load_dataset("parquet", data_files=files, split="train", streaming=True, columns=columns)
    # With several input shards at a time it reads in threads, and sleeps 5 s as it ends these.
    data = data.shuffle(seed=epoch, buffer_size=SHUFFLE // WORKERS, max_buffer_input_shards=1).map(sample)
    return sizes(DataLoader(data, BATCH, num_workers=WORKERS))


def mosaic(folder: Path, side: int, epoch: int) -> Iterator[int]:
    from streaming import StreamingDataset

    class Images(StreamingDataset):
        def __getitem__(self, at: int) -> dict[str, object]:
            found = super().__getitem__(at)
            return {**found, "image": pixels(found["image"], side)}

    data = Images(local=str(folder / "mosaic"), shuffle=True, shuffle_seed=epoch, batch_size=BATCH)
    return sizes(DataLoader(data, BATCH, num_workers=WORKERS))


def sizes(loader: Iterable) -> Iterator[int]:
    for batch in loader:
        yield len(batch["key"] if isinstance(batch, dict) else batch[0])


@dataclass(frozen=True)
class Pace:
    """Of one epoch."""

    samples: int
    first: float  # seconds to the first batch
    rate: float  # samples a second from there on
    cpu: float  # seconds a sample of all cores, workers and start included


def pace(epoch: Iterator[int]) -> Pace:
    started, used = time.perf_counter(), cpu_seconds()
    first = next(epoch)
    begun = time.perf_counter()
    rest = sum(epoch)
    rate = rest / (time.perf_counter() - begun)
    del epoch  # ends the workers
    gc.collect()
    return Pace(first + rest, begun - started, rate, (cpu_seconds() - used) / (first + rest))


def cpu_seconds() -> float:
    times = os.times()  # of children only those that have ended
    return times.user + times.system + times.children_user + times.children_system


LOADERS: dict[str, tuple[str, Callable[[Path, int, int], Iterator[int]]]] = {
    "face0": ("face0", ours),
    "webdataset": ("webdataset", webdataset),
    "Hugging Face datasets": ("datasets", hugging_face),
    "MosaicML streaming": ("mosaicml-streaming", mosaic),
}


def installed() -> dict[str, Callable[[Path, int, int], Iterator[int]]]:
    found = {}
    for name, (package, loader) in LOADERS.items():
        try:
            found[f"{name} {version(package)}"] = loader
        except PackageNotFoundError:
            print(f"{name} is left out: pip install -e .[bench] installs it")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--tars", type=int, default=12, help="of LFW, 2 or more, each of 1,000 photographs (%(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    tars = sorted((args.data.resolve() / "lfw").glob("*.tar"))[: args.tars]
    loaders = installed()
    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; torch {torch.__version__}, "
          f"Pillow {version('pillow')}; {len(tars)} tars, batches of {BATCH}, best of {args.rounds}")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tars").mkdir()
        for tar in tars:
            (folder / "tars" / tar.name).write_bytes(tar.read_bytes())
        face_shards(tars, folder / "face0")
        if mosaic in loaders.values():
            mosaic_shards(tars, folder / "mosaic")
        some = [each.image for each in itertools.islice(photographs(tars[0]), 500)]
        print(
            "| loader | pixels | samples | samples/s | ours is | CPU, ms a sample | first batch, s |\n"
            "|---|---|---|---|---|---|---|"
        )
        for side in (64, 256):
            best: dict[str, Pace] = {}
            for epoch, (loader, run) in itertools.product(range(args.rounds), loaders.items()):
                found = pace(run(folder, side, epoch))
                best[loader] = max(found, best.get(loader, found), key=lambda each: each.rate)
            mine = next(iter(best.values())).rate
            for loader, found in best.items():
                print(f"| {loader} | {side} | {found.samples:,} | {found.rate:,.0f} | {mine / found.rate:.2f} x | "
                      f"{1e3 * found.cpu:.2f} | {found.first:.2f} |")  # fmt: skip
            started, used = time.perf_counter(), cpu_seconds()
            for image in some:
                pixels(image, side)
            rate = len(some) / (time.perf_counter() - started)
            cpu = 1e3 * (cpu_seconds() - used) / len(some)
            print(f"| decoding alone, one core | {side} | {len(some)} | {rate:,.0f} | {mine / rate:.2f} x | "
                  f"{cpu:.2f} | |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
