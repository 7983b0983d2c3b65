"""Pace of finding and embedding faces, beside facenet-pytorch's, and how far it is from the arithmetic of the machine.

  python -m benchmarks.augment --data ../shared/data

In one run, on photographs of LFW as they are (250 px) and enlarged to 512 px: (a) facenet-pytorch one image at a
time, (b) facenet-pytorch in batches of equal size, (c) our library call, (d) the job from tar to Parquet, its start-up
included. Then the share of each stage, on one core (of the
library call, but for reading and hashing), and the pace at which this machine would do nothing but the nets'
multiplications. The embedder has random weights throughout, which does not change its pace. With --device cuda all of
it runs on the GPU.
"""

import argparse
import io
import itertools
import json
import os
import platform
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from facenet_pytorch import MTCNN, InceptionResnetV1
from PIL import Image
from torch import nn

from face0.augmentation.augmenter import IMAGE_BATCH, Augmenter
from face0.augmentation.config import AugmentConfig
from face0.detection.detections import FaceFilter
from face0.detection.integral_images import IntegralImages
from face0.detection.mtcnn import by_image
from face0.embedders.specification import embedder_config
from face0.readers import webdataset
from face0.readers.fetching import Fetcher
from face0.readers.samples import Columns, Split
from face0.runtime.precision import fast_dtype
from jobs.main import main as face0

ALL_FACES = 1000  # so that every face that (a) embeds is embedded


def photographs(data: Path, count: int) -> Iterator[tuple[str, bytes]]:
    for path in itertools.cycle(sorted((data / "lfw").glob("*.tar"))):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".jpg"):
                    if not count:
                        return
                    count -= 1
                    yield f"{count:06d}.jpg", tar.extractfile(member).read()


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


def decoded(image: bytes) -> Image.Image:
    return Image.open(io.BytesIO(image)).convert("RGB")


def plain_loop(images: Sequence[bytes], device: str) -> Callable[[], int]:
    mtcnn, net = MTCNN(keep_all=True, device=device), InceptionResnetV1().eval().to(device)

    def run() -> int:
        faces = 0
        with torch.inference_mode():
            for image in images:
                crops = mtcnn(decoded(image))
                if crops is not None:
                    faces += len(net(crops.to(device)))
        return faces

    return run


def batched(images: Sequence[bytes], device: str) -> Callable[[], int]:
    """As well as facenet-pytorch's interface allows: it takes lists of images of one size."""
    mtcnn, net = MTCNN(keep_all=True, device=device), InceptionResnetV1().eval().to(device)

    def run() -> int:
        faces = 0
        with torch.inference_mode():
            for start in range(0, len(images), IMAGE_BATCH):
                found = mtcnn([decoded(image) for image in images[start : start + IMAGE_BATCH]])
                crops = [crops for crops in found if crops is not None]
                if crops:
                    faces += len(net(torch.cat(crops).to(device)))
        return faces

    return run


def augmenter(device: str, threads: int) -> Augmenter:
    config = AugmentConfig(embedder=embedder_config("random:0"), faces=FaceFilter(min_score=0.0, max_faces=ALL_FACES))
    return Augmenter(config, Fetcher(), device, threads)


def library_call(tar: Path, device: str) -> Callable[[], int]:
    worker = augmenter(device, os.cpu_count() or 1)

    def run() -> int:
        rows = webdataset.read(Split(reader="webdataset", uri=str(tar), size=0), Columns())
        return sum(len(getattr(outcome, "faces", ())) for outcome in worker.outcomes(rows))

    return run


def job(tar: Path, output: Path, device: str) -> Callable[[], int]:
    def run() -> int:
        argv = ["augment", str(tar), "--output", str(output), "--embedder", "random:0", "--device", device]
        code = face0([*argv, "--min-score", "0", "--max-faces", str(ALL_FACES)])
        assert code == 0
        return int(json.loads((output / "_SUCCESS").read_text())["totals"]["faces"])

    return run


class Stages:
    """Seconds by stage, of one thread; on a GPU up to the end of its work."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def time(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
        """Calls the function and adds what it took."""
        started = time.perf_counter()
        result = function(*args)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds[name] += time.perf_counter() - started
        return result


def count_macs(net: nn.Module, counted: Counter[str], name: str) -> None:
    """Counts the multiplications of the net's layers whenever it runs."""

    def add(layer: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        counted[name] += output.numel() * layer.weight[0].numel()

    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(add)


def stages(images: Sequence[bytes], device: str) -> tuple[Stages, Counter[str]]:
    """What each stage takes, and the multiplications of the nets in float32 ("detector") and bfloat16 ("embedder")."""
    worker = augmenter(device, 1)
    detector, embedder = worker._detector, worker._embedder
    macs: Counter[str] = Counter()
    parts = Stages()
    with torch.inference_mode():
        for start in [0, *range(0, len(images), IMAGE_BATCH)]:  # the first twice: it warms up
            if start == 0:
                parts.seconds.clear()
            group = [parts.time("decode", decoded, image) for image in images[start : start + IMAGE_BATCH]]
            pixels = [np.asarray(image) for image in group]
            tensors = parts.time("tables", lambda p=pixels: [torch.tensor(x, device=device) for x in p])
            sums = parts.time("tables", IntegralImages, tensors)
            boxes = parts.time("P-Net", detector._propose, sums)
            boxes = parts.time("R-Net", detector._refine, sums, boxes)
            boxes, points = parts.time("O-Net", detector._decide, sums, boxes)
            faces = [worker.config.faces(found) for found in by_image(boxes, points, len(group))]
            crops = parts.time("face crops", embedder.crops, pixels, faces)
            parts.time("embedder", embedder.vectors, crops)
    for net in (detector._pnet, detector._rnet, detector._onet):
        count_macs(net, macs, "detector")
    count_macs(embedder._pooled, macs, "embedder")
    for start in range(0, len(images), IMAGE_BATCH):
        pixels = [np.asarray(decoded(image)) for image in images[start : start + IMAGE_BATCH]]
        embedder.embed(pixels, [worker.config.faces(found) for found in detector.detect(pixels)])
    return parts, macs


def gemm_rate(dtype: torch.dtype, device: str) -> float:
    """Multiplications a second of one core, or of the GPU."""
    side = 8192 if device.startswith("cuda") else 1024
    a, b = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        clock = Stages()
        clock.time("gemm", torch.matmul, a, b)
        best = min(best, clock.seconds["gemm"])
    return side**3 / best


def machine() -> str:
    """What a measurement was made on."""
    libraries = ", ".join(
        f"{name} {version(name)}" for name in ("torch", "facenet-pytorch", "diffusers", "apache-beam")
    )
    return f"{platform.machine()}, {os.cpu_count()} cores, {libraries}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=3000, help="through (c) and (d) (%(default)s)")
    parser.add_argument("--peer-images", type=int, default=192, help="through (a) and (b) (%(default)s)")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    cores = os.cpu_count() or 1
    print(f"{machine()}, {args.device}; {args.images} images, {args.peer_images} through (a) and (b)")
    with tempfile.TemporaryDirectory() as folder:
        for side in (250, 512):
            images = [
                (name, data if side == 250 else enlarged(data, side))
                for name, data in photographs(args.data, args.images)
            ]
            some = [data for _, data in images[: args.peer_images]]
            tar = write_tar(Path(folder) / f"{side}.tar", images)
            first = 0.0
            for name, count, run in (
                ("(a) facenet-pytorch, one image at a time", len(some), plain_loop(some, args.device)),
                ("(b) facenet-pytorch, batched", len(some), batched(some, args.device)),
                ("(c) library call", len(images), library_call(tar, args.device)),
                ("(d) face0 augment, start-up included", len(images), job(tar, Path(folder) / str(side), args.device)),
            ):
                torch.set_num_threads(cores)  # the library sets its own
                started = time.perf_counter()
                faces = run()
                rate = count / (time.perf_counter() - started)
                first = first or rate
                print(f"{side} px  {name}: {rate:.1f} images/s, {rate * faces / count:.1f} faces/s, "
                      f"{rate / first:.2f} x (a)", flush=True)  # fmt: skip
            torch.set_num_threads(1)
            parts, macs = stages(some, args.device)
            total = sum(parts.seconds.values())
            shares = ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in parts.seconds.items())
            print(f"{side} px  stages, one thread, {1e3 * total / len(some):.1f} ms an image: {shares}")
            slow, fast = (gemm_rate(dtype, args.device) for dtype in (torch.float32, fast_dtype(args.device)))
            if not args.device.startswith("cuda"):
                slow, fast = slow * cores, fast * cores
            limit = len(some) / (macs["detector"] / slow + macs["embedder"] / fast)
            print(f"{side} px  multiplications an image: detector {macs['detector'] / len(some) / 1e6:.0f} M, embedder "
                  f"{macs['embedder'] / len(some) / 1e6:.0f} M; GEMM {slow / 1e9:.0f} G/s in float32, {fast / 1e9:.0f} "
                  f"G/s in {fast_dtype(args.device)}: at most {limit:.0f} images/s")  # fmt: skip


if __name__ == "__main__":
    main()
