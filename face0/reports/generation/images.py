"""What the page reads of the results: figures as a table, thumbnails in chunks."""

import base64
from collections.abc import Iterator

import pyarrow as pa

from face0.generation.results import Results
from schemas.requests import RESULTS

THUMBNAIL = "thumbnail"
LEFT_OUT = (THUMBNAIL, "image_sha256", "box", "landmarks", "face_vector", "identity_vector", "judge_vector")
COLUMNS = [name for name in RESULTS.names if name not in LEFT_OUT]
CHUNK = 128  # thumbnails loaded together
# Column, its name beneath an image and in full, what it is.
MEASURES = {
    "similarity": ("sim", "similarity", "cosine of the identity of the face made and of the face asked for"),
    "judge_similarity": ("judge", "judge's similarity", "the same by an encoder that had no part in making the image"),
    "text_alignment": ("text", "text alignment", "CLIP cosine of image and prompt"),
    "face_alignment": ("face", "face alignment", "CLIP cosine of the face made and the portrait"),
    "seconds": ("s", "seconds", "the image's share of its batch's time"),
}
NO_FACE_GIVEN, BARE = "(no face)", "(base model)"


def read_images(results: Results) -> pa.Table:
    """Reads the COLUMNS of all results; may be empty."""
    schema = pa.schema([RESULTS.field(name) for name in COLUMNS])
    return pa.Table.from_batches(results.batches(COLUMNS), schema=schema)


def read_chunks(results: Results) -> Iterator[list[str]]:
    """Reads the thumbnails in base64, CHUNK at a time, in the order of ``read_images``; empty where there is none."""
    chunk: list[str] = []
    for batch in results.batches([THUMBNAIL]):
        for picture in batch[THUMBNAIL]:
            chunk.append(base64.b64encode(picture.as_py() or b"").decode())
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def face_names(images: pa.Table) -> list[str]:
    """The face of each image, as the page names it."""
    rows = zip(images["face_id"].to_pylist(), images["bare"].to_pylist(), strict=True)
    return [BARE if bare else face or NO_FACE_GIVEN for face, bare in rows]


def measured(images: pa.Table) -> list[str]:
    """The MEASURES that some image has."""
    return [name for name in MEASURES if images[name].null_count < images.num_rows]
