"""Runs augment, offline, on a few pictures that come with the installed packages, and shows the result.

  face0 demo --output demo-output

Three photographs of people, two pictures without a face, and four rows that are broken, made on the spot. The contact
sheet at the end shows what was found.
"""

import argparse
import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import pyarrow.parquet as pq

from face0.contact_sheet import contact_sheet


def main(argv: Sequence[str]) -> int:
    """Runs the demo; returns its exit code."""
    parser = argparse.ArgumentParser(
        "face0 demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--output", type=Path, default=Path("demo-output"), metavar="DIR", help="(%(default)s)")
    output = parser.parse_args(argv).output
    # The demo always starts anew; its own folders only.
    shutil.rmtree(output / "shards", ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    write_tar(output / "photos.tar", pictures())
    command = ["augment", str(output / "photos.tar"), "--embedder", "random:0", "--max-failures", "100%",
               "--output", str(output / "shards")]  # fmt: skip
    print(f"$ face0 {' '.join(command)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "jobs.main", *command], check=False).returncode
    if code == 0:
        show(output)
    return code


def pictures() -> Iterator[tuple[str, bytes, str]]:
    """The demo's data set: (file name, bytes, caption)."""
    photographs = {
        "astronaut": ("skimage", "data/astronaut.png", "a photo of an astronaut in front of a flag and a shuttle"),
        "admiral": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "a portrait of a naval officer"),
        "camera": ("skimage", "data/camera.png", "a man with a camera on a lawn, from afar"),
        "coffee": ("skimage", "data/coffee.png", "a cup of coffee on a table"),
        "chelsea": ("skimage", "data/chelsea.png", "a photo of a cat"),
    }
    found = {}
    for name, (package, path, caption) in photographs.items():
        found[name] = files(package).joinpath(path).read_bytes()
        yield f"{name}{Path(path).suffix}", found[name], caption
    yield (
        "cut_off.png",
        found["astronaut"][: len(found["astronaut"]) // 2],
        "a photo that was not downloaded to its end",
    )
    yield "error_page.jpg", b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "a page that says it is an image"
    yield "nothing.jpg", b"", "an empty file"
    yield "wordless.jpg", found["admiral"], ""


def write_tar(path: Path, pictures: Iterator[tuple[str, bytes, str]]) -> None:
    """Writes pictures and their captions as a webdataset tar."""
    with tarfile.open(path, "w") as tar:
        for name, image, caption in pictures:
            for member, data in ((name, image), (f"{Path(name).stem}.txt", caption.encode())):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def show(output: Path) -> None:
    """Prints the failures, draws the shard, and says where things are."""
    (shard,) = (output / "shards" / "shards").glob("*.parquet")
    (failures,) = (output / "shards" / "failures").glob("*.parquet")
    for row in pq.read_table(failures).to_pylist():
        print(f"failed  {row['key']}: {row['reason']} ({row['message']})")
    sheet = output / "contact_sheet.png"
    contact_sheet(pq.read_table(shard).to_pylist()).save(sheet)
    print(f"faces   {shard}\nsheet   {sheet}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
