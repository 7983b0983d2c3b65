"""Faces of photographs: a folder of people in, a row of a face bank for each of them out."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from face0.detection.detections import Detections, FaceFilter
from face0.detection.limits import PYRAMID_MAX_SIDE
from face0.detection.mtcnn import Detector
from face0.detection.portraits import portrait
from face0.embedders.interface import Embedder
from face0.errors import UsageError
from face0.faces.bank import BankFace
from face0.images.decoding import REDUCING_GAP, BadImage, decode
from face0.images.formats import IMAGE_EXTENSIONS
from face0.io import storage
from face0.readers.uris import name_of, split_extension
from face0.runtime.concurrency import ordered_map
from schemas.face_bank import Kind

PAD = 0.5  # grey frame, a share of the side, in which a face that fills the picture is looked for again
FULL_DETAIL = 160.0  # pixels of a face above which no embedder sees more of it: the largest input of those there are


@dataclass(frozen=True, kw_only=True)
class PhotographFace:
    """What was seen of one photograph.

    Attributes:
        uri: of the file.
        sha256: of its bytes; empty if they could not be read.
        vector: the conditioning vector of the largest face, float32 [dim]; None if there is none.
        box: of that face, x0, y0, x1, y1 in pixels of the upright photograph.
        weight: of the vector in a mean, see ``FaceReader``.
        portrait: JPEG of that face.
        note: a sentence for a person; empty if all is well.
    """

    uri: str
    sha256: str = ""
    vector: np.ndarray | None = None
    box: Sequence[float] = ()
    weight: float = 0.0
    portrait: bytes | None = None
    note: str = ""


class FaceReader:
    """Finds and embeds the largest face of a photograph. Threads may share it.

    It looks at the photograph as augment looks at a training image of this resolution, so that an embedder's margins,
    which are pixels, mean the same; only that nothing is cropped off.

    A vector's weight in a mean is the detector's score times the shorter side of the face's box, counted up to the 160
    pixels above which no embedder sees more: small and doubtful faces have less of a say, and a close-up has no more
    than any other good photograph.

    Args:
        embedder: makes the vectors.
        faces: which of the detected faces count.
        resolution: pixels of the shorter side that is looked at, at most.
        device: of the detector.
    """

    def __init__(self, embedder: Embedder, faces: FaceFilter, resolution: int, device: str) -> None:
        self._embedder, self._faces, self._resolution = embedder, faces, resolution
        self._detector = Detector(faces.min_face, device)

    def __call__(self, uri: str) -> PhotographFace:
        """Looks at the photograph in a file. What is wrong with it comes back as a note, not as an error."""
        torch.set_num_threads(1)  # of this thread; others look at other photographs meanwhile
        try:
            with storage.open_uri(uri) as file:
                data = file.read()
        except OSError as error:
            return PhotographFace(uri=uri, note=f"cannot be read: {error}")
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            pixels = decode(data).pixels
        except BadImage as bad:
            return PhotographFace(uri=uri, sha256=sha256, note=f"cannot be read: {bad.message}")
        except MemoryError:
            return PhotographFace(uri=uri, sha256=sha256, note="cannot be read: it does not fit into memory")
        small, scale = self._shrunk(pixels)
        found = self._find(small)
        if not len(found):
            return PhotographFace(uri=uri, sha256=sha256, note="no face was found")
        largest = found.take(np.array([0]))
        (vectors,) = self._embedder.embed([small], [largest])
        width, height = largest.boxes[0, 2:] - largest.boxes[0, :2]
        box = largest.boxes[0] * np.tile(scale, 2)
        return PhotographFace(
            uri=uri,
            sha256=sha256,
            vector=vectors[0],
            box=[round(float(value), 2) for value in box],
            weight=float(largest.scores[0] * min(width, height, FULL_DETAIL)),
            portrait=portrait(pixels, box),
            note="" if len(found) == 1 else f"has {len(found)} faces: the largest was taken",
        )

    def _shrunk(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The pixels at the resolution, and by what x and y there are multiplied to be those here: float64 [2]."""
        height, width = pixels.shape[:2]
        factor = min(1.0, self._resolution / min(height, width), PYRAMID_MAX_SIDE / max(height, width))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        scale = np.array([width / size[0], height / size[1]])
        if factor == 1:
            return pixels, scale
        image = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
        return np.asarray(image), scale

    def _find(self, pixels: np.ndarray) -> Detections:
        """The faces, largest first. Where the largest leaves the picture it is looked for again in a grey frame.

        The detector finds faces that fill the picture in the wrong place, if at all: of close crops of two people the
        vectors of MobileFaceNet had cosines of 0.0 to 0.5 to those of the whole photographs, and of 0.8 to 0.9 with the
        frame.
        """
        found = self._faces(self._detector.detect([pixels])[0])
        height, width = pixels.shape[:2]
        if len(found) and (found.boxes[0] >= 0).all() and (found.boxes[0] <= [width, height, width, height]).all():
            return found
        framed = self._faces(self._detector.detect_padded([pixels], PAD)[0])
        return framed if len(framed) else found


def photographs_by_person(uri: str) -> dict[str, list[str]]:
    """The faces of a folder and their photographs: face id to URIs, both in the order of names.

    An image file is a face that its stem names. A sub-folder is one face, which it names, with all images in and below
    it; it may hold none. Hidden files, and files that are no images by their extension, are passed over.

    Raises:
        UsageError: there is no such folder, nothing in it, or two faces of one name.
    """
    fs, path = storage.filesystem(uri)
    if not fs.isdir(path):
        raise UsageError(f"{uri} is no folder: give one that holds photographs, or a folder of them for each person")
    root = path.rstrip("/") + "/"
    photographs: dict[str, list[str]] = {}
    origin: dict[str, str] = {}  # the entry of the folder that each face is named after
    for full in sorted(fs.find(path)):
        name = full.removeprefix(root)
        if any(part.startswith(".") for part in name.split("/")):
            continue
        entry, slash, _ = name.partition("/")
        is_image = split_extension(name)[1] in IMAGE_EXTENSIONS
        if not (slash or is_image):
            continue
        face_id = entry if slash else split_extension(entry)[0]
        if origin.setdefault(face_id, entry) != entry:
            raise UsageError(
                f"{storage.join(uri, origin[face_id])} and {entry} would both be the face {face_id!r}: rename one, "
                "or put the photographs of one person into a folder"
            )
        photographs.setdefault(face_id, []).extend([storage.full_uri(fs, full)] if is_image else [])
    if not photographs:
        raise UsageError(f"no photographs lie in {uri}: they end in .{', .'.join(sorted(IMAGE_EXTENSIONS))}")
    return photographs


def from_photographs(photographs: Mapping[str, Sequence[str]], read: FaceReader, threads: int) -> Iterator[BankFace]:
    """Looks at photographs; a row of a bank for each face, in order, whether or not a face was found."""
    uris = [uri for several in photographs.values() for uri in several]
    seen = ordered_map(read, uris, workers=threads, ahead=2 * threads)
    for face_id, several in photographs.items():
        yield joined(face_id, [next(seen) for _ in several])


def joined(face_id: str, seen: Sequence[PhotographFace]) -> BankFace:
    """One face of its photographs: the weighted mean of their conditioning vectors (paper: joins several photos).

    The vectors are added as they are, not at unit length, so that the mean has the size that the model was trained on.
    The portrait is that of the photograph with the largest weight.
    """
    usable = [(each, each.vector) for each in seen if each.vector is not None]
    notes = [f"{name_of(each.uri)} {each.note}" for each in seen if each.note] or (
        [] if seen else ["the folder holds no photograph"]
    )
    if not usable:
        return BankFace(
            face_id=face_id, vector=None, kind=Kind.PHOTOS, provenance={"sources": []}, note="; ".join(notes)
        )
    weights = np.array([each.weight for each, _ in usable], np.float64)
    weights /= weights.sum()
    sources = [
        {"uri": each.uri, "sha256": each.sha256, "box": list(each.box), "weight": round(float(weight), 6)}
        for (each, _), weight in zip(usable, weights, strict=True)
    ]
    return BankFace(
        face_id=face_id,
        vector=(weights @ np.stack([vector for _, vector in usable]).astype(np.float64)).astype(np.float32),
        kind=Kind.PHOTOS,
        provenance={"sources": sources},
        portrait=usable[int(weights.argmax())][0].portrait,
        note="; ".join(notes),
    )
