"""Pace of finding and embedding faces: facenet-pytorch's plain loop, our library call, and the job end to end.

  python -m benchmarks.augment --data ../shared/data

All three in one run, over the same photographs of LFW: as they are (250 px), and enlarged to 512 px. The embedder has
random weights throughout, which does not change its pace.
"""

import argparse
import io
import os
import platform
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import torch
from facenet_pytorch import MTCNN, InceptionResnetV1
from PIL import Image

from face0.augment import AugmentConfig, Augmenter
from face0.embedders import embedder_config
from face0.faces import FaceFilter
from face0.fetch import Fetcher
from face0.readers import webdataset
from face0.readers.samples import Columns, Split
from jobs.main import main as face0

ALL_FACES = 1000  # so that every face that (a) embeds is embedded


def photographs(data: Path, count: int) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(data / "lfw" / "lfw-00000.tar") as tar:
        for member in tar:
            if member.name.endswith(".jpg") and count:
                count -= 1
                yield member.name, tar.extractfile(member).read()


def enlarged(image: bytes, side: int) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(image)).resize((side, side), Image.Resampling.LANCZOS).save(file, "JPEG", quality=90)
    return file.getvalue()


def write_tar(path: Path, images: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, image in images:
            for member, data in ((name, image), (f"{name[:-4]}.txt", b"a photo")):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path


def plain_loop(tar: Path) -> Callable[[], int]:
    mtcnn, net = MTCNN(keep_all=True), InceptionResnetV1().eval()
    with tarfile.open(tar) as file:
        images = [file.extractfile(member).read() for member in file if member.name.endswith(".jpg")]

    def run() -> int:
        faces = 0
        with torch.inference_mode():
            for data in images:
                crops = mtcnn(Image.open(io.BytesIO(data)).convert("RGB"))
                if crops is not None:
                    faces += len(net(crops))
        return faces

    return run


def library_call(tar: Path) -> Callable[[], int]:
    config = AugmentConfig(embedder=embedder_config("random:0"), faces=FaceFilter(min_score=0.0, max_faces=ALL_FACES))
    worker = Augmenter(config, Fetcher(), "cpu", os.cpu_count() or 1)

    def run() -> int:
        rows = webdataset.read(Split(reader="webdataset", uri=str(tar), size=0), Columns())
        return sum(len(getattr(outcome, "faces", ())) for outcome in worker.outcomes(rows))

    return run


def job(tar: Path, output: Path) -> Callable[[], int]:
    def run() -> int:
        argv = ["augment", str(tar), "--output", str(output), "--embedder", "random:0"]
        return face0([*argv, "--min-score", "0", "--max-faces", str(ALL_FACES)])

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=300)
    args = parser.parse_args()
    cores = os.cpu_count() or 1
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "facenet-pytorch", "apache-beam"))
    print(f"{platform.processor() or platform.machine()}, {cores} cores; {libraries}; {args.images} images")
    with tempfile.TemporaryDirectory() as folder:
        for side in (250, 512):
            images = [
                (name, data if side == 250 else enlarged(data, side))
                for name, data in photographs(args.data, args.images)
            ]
            tar = write_tar(Path(folder) / f"{side}.tar", images)
            rates = {}
            for name, run in (
                ("(a) facenet-pytorch, one image at a time", plain_loop(tar)),
                ("(b) library call", library_call(tar)),
                ("(c) face0 augment, start-up included", job(tar, Path(folder) / f"out-{side}")),
            ):
                torch.set_num_threads(cores)  # the library sets its own
                started = time.perf_counter()
                faces = run()
                rates[name] = len(images) / (time.perf_counter() - started)
                ratio = rates[name] / next(iter(rates.values()))
                print(f"{side} px  {name}: {rates[name]:.1f} images/s, {ratio:.2f} x (a); {faces or 'same'} faces")


if __name__ == "__main__":
    main()
