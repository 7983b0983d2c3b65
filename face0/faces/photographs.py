"""Faces of photographs: a folder of people in, a row of a face bank for each of them out."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from face0.detection.detections import FaceFilter
from face0.detection.portraits import portrait
from face0.embedders.interface import Embedder
from face0.errors import StorageError, UsageError
from face0.faces.bank import BankFace
from face0.faces.embedding import FaceEmbedder, PhotographFaces
from face0.images.decoding import decode
from face0.images.formats import IMAGE_EXTENSIONS
from face0.images.reading import BadImage
from face0.io import storage
from face0.io.folder import Folder
from face0.io.text import composed
from face0.readers.uris import name_of, split_extension
from face0.runtime.concurrency import ordered_map
from face0.runtime.one_thread import one_thread
from schemas.face_bank import Kind

FULL_DETAIL = 160.0  # pixels of a face above which no embedder sees more of it: the largest input of those there are
OUTSIDE = "was looked at whole: its centre square, which is what models are trained on, does not hold the face"


@dataclass(frozen=True, kw_only=True)
class PhotographFace:
    """What was seen of one photograph.

    Attributes:
        uri: of the file.
        sha256: of its bytes; empty if they could not be read.
        vector: the conditioning vector of the largest face, float32 [dim]; None if there is none.
        identity_vector: of that face, float32 [d] at unit length; None if there is none.
        box: of that face, x0, y0, x1, y1 in pixels of the upright photograph.
        weight: of the vector in a mean, see ``FaceReader``.
        portrait: JPEG of that face.
        note: a sentence for a person; empty if all is well.
    """

    uri: str
    sha256: str = ""
    vector: np.ndarray | None = None
    identity_vector: np.ndarray | None = None
    box: Sequence[float] = ()
    weight: float = 0.0
    portrait: bytes | None = None
    note: str = ""


class FaceReader:
    """Finds and embeds the largest face of a photograph, as ``FaceEmbedder`` does. Threads may share it.

    A vector's weight in a mean is the detector's score times the shorter side of the face's box, counted up to the 160
    pixels above which no embedder sees more: small and doubtful faces have less of a say, and a close-up has no more
    than any other good photograph.

    Args:
        embedder: makes the vectors.
        faces: which of the detected faces count.
        resolution: pixels a side of the training image that is looked at, at most.
        device: of the detector.
    """

    def __init__(self, embedder: Embedder, faces: FaceFilter, resolution: int, device: str) -> None:
        self._embed, self._resolution = FaceEmbedder(embedder, faces, device, resolution), resolution

    def __call__(self, uri: str) -> PhotographFace:
        """Looks at the photograph in a file. What is wrong with it comes back as a note, not as an error."""
        try:
            with storage.open_uri(uri) as file:
                data = file.read()
        except StorageError:
            raise
        except OSError as error:
            return PhotographFace(uri=uri, note=f"cannot be read: {error}")
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            decoded = decode(data, smallest_side=self._resolution)
            faces = self._embed.photograph(decoded.pixels, most=1)
            if not len(faces.detections):
                return PhotographFace(uri=uri, sha256=sha256, note="no face was found")
            width, height = decoded.size
            box = _box(faces, width / decoded.pixels.shape[1], height / decoded.pixels.shape[0])
            whole = decoded.pixels if decoded.pixels.shape[:2] == (height, width) else decode(data).pixels
        except BadImage as bad:
            return PhotographFace(uri=uri, sha256=sha256, note=f"cannot be read: {bad.message}")
        except MemoryError:
            return PhotographFace(uri=uri, sha256=sha256, note="cannot be read: it does not fit into memory")
        return PhotographFace(
            uri=uri,
            sha256=sha256,
            vector=faces.vectors[0],
            identity_vector=self.identity(faces.vectors)[0],
            box=[round(float(value), 2) for value in box],
            weight=_weight(faces),
            portrait=portrait(whole, box),
            note=_note(faces),
        )

    def identity(self, vectors: np.ndarray) -> np.ndarray:
        """Identity vectors [n, d] of conditioning vectors [n, dim]: see ``Embedder.identity``."""
        with one_thread():
            return self._embed.embedder.identity(vectors)


def _box(faces: PhotographFaces, across: float, down: float) -> np.ndarray:
    """The box of the largest face, float64 [4], in a photograph that is so many times as large as what was decoded."""
    in_pixels = faces.detections.boxes[0] * np.tile(faces.scale, 2) + np.tile(faces.shift, 2)
    return np.asarray(in_pixels * np.tile([across, down], 2))


def _weight(faces: PhotographFaces) -> float:
    width, height = faces.detections.boxes[0, 2:] - faces.detections.boxes[0, :2]
    return float(faces.detections.scores[0] * min(width, height, FULL_DETAIL))


def _note(faces: PhotographFaces) -> str:
    count = len(faces.detections)
    notes = [f"has {count} faces: the largest was taken"] if count > 1 else []
    return "; ".join(notes if faces.is_square else [*notes, OUTSIDE])


def photographs_by_person(uri: str) -> dict[str, list[str]]:
    """The faces of a folder and their photographs: face id to URIs, both in the order of names.

    An image file is a face that its stem names. A sub-folder is one face, which it names, with all images in and below
    it; it may hold none. Hidden files, and files that are no images by their extension, are passed over.

    Raises:
        UsageError: there is no such folder, nothing in it, or two faces of one name.
    """
    folder = Folder(storage.absolute(uri))
    if not folder.is_folder:
        raise UsageError(f"{uri} is no folder: give one that holds photographs, or a folder of them for each person")
    photographs: dict[str, list[str]] = {}
    origin: dict[str, str] = {}  # the entry of the folder that each face is named after
    for name in folder.files():
        if any(part.startswith(".") for part in name.split("/")):
            continue
        entry, slash, _ = name.partition("/")
        is_image = split_extension(name)[1] in IMAGE_EXTENSIONS
        if not (slash or is_image):
            continue
        face_id = composed(entry if slash else split_extension(entry)[0])
        if origin.setdefault(face_id, entry) != entry:
            raise UsageError(
                f"{storage.join(uri, origin[face_id])} and {entry} would both be the face {face_id!r}: rename one, "
                "or put the photographs of one person into a folder"
            )
        photographs.setdefault(face_id, []).extend([folder.join(name)] if is_image else [])
    if not photographs:
        raise UsageError(f"no photographs lie in {uri}: they end in .{', .'.join(sorted(IMAGE_EXTENSIONS))}")
    return photographs


def from_photographs(photographs: Mapping[str, Sequence[str]], read: FaceReader, threads: int) -> Iterator[BankFace]:
    """Looks at photographs; a row of a bank for each face, in order, whether or not a face was found."""
    all_uris = [uri for uris in photographs.values() for uri in uris]
    readings = ordered_map(read, all_uris, workers=threads, ahead=2 * threads)
    for face_id, uris in photographs.items():
        face = joined(face_id, [next(readings) for _ in uris])
        if face.vector is not None:
            face = replace(face, identity_vector=read.identity(face.vector[None])[0])
        yield face


def joined(face_id: str, readings: Sequence[PhotographFace]) -> BankFace:
    """Joins the photographs of a face: the weighted mean of their conditioning vectors (paper: joins several photos).

    The vectors are added as they are, not at unit length, so that the mean has the size that the model was trained on.
    The portrait is that of the photograph with the largest weight. The identity vector of a mean is not the mean of
    theirs: it is left to whoever has the embedder.
    """
    usable = [(reading, reading.vector) for reading in readings if reading.vector is not None]
    notes = [f"{name_of(reading.uri)} {reading.note}" for reading in readings if reading.note] or (
        [] if readings else ["the folder holds no photograph"]
    )
    if not usable:
        return BankFace(
            face_id=face_id, vector=None, kind=Kind.PHOTOS, provenance={"sources": []}, note="; ".join(notes)
        )
    weights = np.array([reading.weight for reading, _ in usable], np.float64)
    weights /= weights.sum()
    sources = [
        {"uri": reading.uri, "sha256": reading.sha256, "box": list(reading.box), "weight": round(float(weight), 6)}
        for (reading, _), weight in zip(usable, weights, strict=True)
    ]
    return BankFace(
        face_id=face_id,
        vector=(weights @ np.stack([vector for _, vector in usable]).astype(np.float64)).astype(np.float32),
        kind=Kind.PHOTOS,
        provenance={"sources": sources},
        portrait=usable[int(weights.argmax())][0].portrait,
        note="; ".join(notes),
    )
