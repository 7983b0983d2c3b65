"""Time and memory of ``face0 faces fit`` over 0.5, 1 and 2 million made-up faces.

  python -m benchmarks.face_space --dim 128

Writes four folders of face shards with half a million rows each (no images, embeddings from 40 Gaussians), and fits the
space of one, two and all four of them, each in a process of its own. With one Gaussian the seconds are those of the
start, of what a stranger is, and of reading and merging, which should grow as the rows do; the memory should not. The
last line has as many Gaussians as fit best: that part depends on the sample, not on the corpus.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa

from face0.faces.space import FaceSpace
from face0.tasks.output_folder import OutputFolder
from schemas.face_shard import face_shard

FOLDERS, SHARDS, ROWS, BLOCK = 4, 10, 50_000, 256  # folders, shards of each, rows of each, rows written at a time
CLUSTERS = 40


@dataclass(frozen=True)
class Made:
    """A task: to write one shard."""

    uri: str
    task_id: str


def vectors(count: int, dim: int, number: int) -> np.ndarray:
    """float16 [count, dim]: 40 Gaussians, whose covariances fall off from dimension to dimension."""
    centres = np.random.default_rng(0).normal(size=(CLUSTERS, dim))
    rng = np.random.default_rng(number + 1)
    fall = 0.99 ** np.arange(dim)
    return ((centres[rng.integers(CLUSTERS, size=count)] + rng.standard_normal((count, dim))) * fall).astype(np.float16)


def batch(names: list[str], embeddings: np.ndarray, schema: pa.Schema) -> pa.RecordBatch:
    """Rows with one face each and nothing to look at."""
    count = len(names)
    face = schema.field("faces").type.value_type
    fixed = {"box": np.zeros(4 * count, np.float32), "landmarks": np.zeros(10 * count, np.float32),
             "embedding": embeddings.reshape(-1)}  # fmt: skip
    fields = [face.field(i) for i in range(face.num_fields)]
    columns = [
        pa.FixedSizeListArray.from_arrays(pa.array(fixed[field.name]), type=field.type)
        if field.name in fixed
        else pa.array(np.ones(count, np.float32))
        for field in fields
    ]
    faces = pa.ListArray.from_arrays(
        pa.array(np.arange(count + 1), pa.int32()),
        pa.StructArray.from_arrays(columns, fields=fields),
        type=schema.field("faces").type,
    )
    plain = {"key": names, "caption": [""] * count, "image": [b""] * count, "width": [1] * count,
             "height": [1] * count, "source": [""] * count, "sha256": names}  # fmt: skip
    return pa.RecordBatch.from_arrays(
        [faces if field.name == "faces" else pa.array(plain[field.name], field.type) for field in schema], schema=schema
    )


def write(folder: Path, number: int, dim: int) -> None:
    schema = face_shard(dim, {"name": "made up"})
    for shard in range(SHARDS):
        with OutputFolder(str(folder)).commit(Made(str(folder), f"shard-{shard:02d}")) as output:
            table = output.table("shards", schema)
            found = vectors(ROWS, dim, number * SHARDS + shard)
            for start in range(0, ROWS, BLOCK):
                part = found[start : start + BLOCK]
                names = [f"{number}-{shard}-{row}" for row in range(start, start + len(part))]
                table.write(batch(names, part, schema))
            output.ledger.read = output.ledger.written = ROWS
    OutputFolder(str(folder)).succeed(f"shard-{shard:02d}" for shard in range(SHARDS))


def measured(command: list[str]) -> tuple[float, float, float]:
    """Seconds, seconds of all cores, and peak memory in GiB of a process."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dim", type=int, default=128, help="of the vectors (%(default)s)")
    args = parser.parse_args()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("apache-beam", "numpy", "pyarrow", "scikit-learn"))
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, {libraries}")
    with tempfile.TemporaryDirectory() as root:
        folders = [Path(root, f"part-{number}") for number in range(FOLDERS)]
        for number, folder in enumerate(folders):
            write(folder, number, args.dim)
        print(f"{'faces':>12}{'seconds':>10}{'CPU s':>8}{'peak GiB':>10}{'Gaussians':>11}")
        for count, gaussians in ((1, "1"), (2, "1"), (4, "1"), (4, "32")):
            space = f"{root}/space-{count}-{gaussians}"
            fit = [sys.executable, "-m", "jobs.main", "faces", "fit", *map(str, folders[:count]), "--output", space]
            seconds, cpu, memory = measured([*fit, "--gaussians", gaussians])
            record = FaceSpace.load(space).record
            print(f"{record.faces:>12,}{seconds:>10.1f}{cpu:>8.1f}{memory:>10.2f}{record.gaussians:>11}", flush=True)


if __name__ == "__main__":
    main()
