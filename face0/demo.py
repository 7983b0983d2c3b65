"""A small data set for a first look, made of pictures that come with installed packages."""

import io
import tarfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from PIL import Image

from face0.errors import UsageError

CROPS = 12  # of each of two photographs, so that there is something to train on
_SIDE = 200  # pixels of a crop

PHOTOGRAPHS = {
    "astronaut": ("skimage", "data/astronaut.png", "a photo of an astronaut in front of a flag and a shuttle"),
    "admiral": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "a portrait of a naval officer"),
    "camera": ("skimage", "data/camera.png", "a man with a camera on a lawn, from afar"),
    "coffee": ("skimage", "data/coffee.png", "a cup of coffee on a table"),
    "chelsea": ("skimage", "data/chelsea.png", "a photo of a cat"),
}
PEOPLE = ("astronaut", "admiral")
SCENES = ("a photo of a person", "a painting of a person", "a statue of a person in the park")


def pictures() -> Iterator[tuple[str, bytes, str]]:
    """(file name, bytes, caption): three people, two things, crops of two of the people, and four broken rows."""
    found = {name: original(name) for name in PHOTOGRAPHS}
    for name, (_, path, caption) in PHOTOGRAPHS.items():
        yield f"{name}{Path(path).suffix}", found[name], caption
    half = found["astronaut"][: len(found["astronaut"]) // 2]
    yield "cut_off.png", half, "a photo that was not downloaded to its end"
    yield "error_page.jpg", b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "a page that says it is an image"
    yield "nothing.jpg", b"", "an empty file"
    yield "wordless.jpg", found["admiral"], ""
    for name in PEOPLE:
        for i in range(CROPS):
            yield f"{name}_{i:02d}.jpg", _crop(found[name], i), PHOTOGRAPHS[name][2]


def original(name: str) -> bytes:
    """The file of a photograph. Raises UsageError if the package that it comes with is not installed."""
    package, path, _ = PHOTOGRAPHS[name]
    try:
        return files(package).joinpath(path).read_bytes()
    except ModuleNotFoundError as error:
        raise UsageError(f"the demo's pictures come with matplotlib and scikit-image: {error}; install both") from error


def write_tar(path: Path) -> None:
    """Writes the pictures and their captions as a webdataset tar."""
    with tarfile.open(path, "w") as tar:
        for name, image, caption in pictures():
            for member, data in ((name, image), (f"{Path(name).stem}.txt", caption.encode())):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def write_people(folder: Path) -> None:
    """Writes two photographs of each of two people, each person's into a folder."""
    for name in PEOPLE:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in (0, CROPS // 2):
            (folder / name / f"{i}.jpg").write_bytes(_crop(original(name), i))


def _crop(data: bytes, number: int) -> bytes:
    """One of several slightly different squares of a photograph, as a JPEG."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    shift = 2 * number
    side = min(image.size) - 2 * CROPS
    file = io.BytesIO()
    image.crop((shift, shift, shift + side, shift + side)).resize((_SIDE, _SIDE)).save(file, "JPEG", quality=95)
    return file.getvalue()
