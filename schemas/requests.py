"""What is asked of generate, and what comes of it: manifest, requests, results."""

import pyarrow as pa

from schemas.vectors import vectors

VERSION = "1"  # of manifest and requests
RESULTS_VERSION = "3"  # the first has no identity vectors, and until the second vectors are float16

# What determines an image, beside the face's vector and the checkpoint.
SETTINGS = [
    pa.field("prompt", pa.string(), nullable=False),  # what the image is to show
    pa.field("negative_prompt", pa.string(), nullable=False),  # what takes the place of the empty prompt
    pa.field("face_id", pa.string(), nullable=False),  # in the bank; empty: no face, zeros in its slots
    pa.field("bare", pa.bool_(), nullable=False),  # the text's own states, without slots for a face: as the base model
    pa.field("seed", pa.int64(), nullable=False),  # of the first noise
    pa.field("w", pa.float32(), nullable=False),  # guidance, named as in the paper
    pa.field("c", pa.float32(), nullable=False),  # of text and face together
    pa.field("a", pa.float32(), nullable=False),  # of the face alone against the text alone
    pa.field("guide_from", pa.float32(), nullable=False),  # share of the steps at which guidance begins, 0..1
    pa.field("guide_to", pa.float32(), nullable=False),  # and ends
    pa.field("rescale", pa.float32(), nullable=False),  # of the guided prediction to the spread it has at w = 1, 0..1
    pa.field("sigma", pa.float32(), nullable=False),  # noise on the vector, in units of its root mean square
    pa.field("sampler", pa.string(), nullable=False),  # ddim, dpm++, euler or unipc
    pa.field("steps", pa.int32(), nullable=False),  # of the sampler
    pa.field("width", pa.int32(), nullable=False),  # pixels; in a manifest 0: the side that the model was made for
    pa.field("height", pa.int32(), nullable=False),  # likewise
]
LABEL = pa.field("label", pa.string(), nullable=False)  # of the reader's own: passes through

MANIFEST = pa.schema([*SETTINGS, LABEL], metadata={"face0.schema": "manifest", "face0.version": VERSION})

_ID = pa.field("request_id", pa.string(), nullable=False)  # hash of all that determines the image

# The manifest as a job has planned it: a row group for each task.
REQUESTS = pa.schema(
    [
        _ID,
        *SETTINGS,
        LABEL,
        pa.field("vector", vectors()),  # null: no face
        pa.field("portrait", pa.binary()),  # of the bank, if a measure needs it
        pa.field("reason", pa.string()),  # why it cannot be rendered, and a sentence about it; null: it can
        pa.field("message", pa.string()),  # that sentence; null likewise
    ],
    metadata={"face0.schema": "requests", "face0.version": VERSION},
)

RESULTS = pa.schema(
    [
        _ID,
        *SETTINGS,
        LABEL,
        pa.field("image", pa.string()),  # relative to the output folder; null: dropped by --unsafe drop
        pa.field("image_sha256", pa.string()),
        pa.field("image_bytes", pa.int64()),  # size of the file; null likewise, and in files of version 0.2 and before
        pa.field("thumbnail", pa.binary()),  # JPEG, at most 128 px a side
        pa.field("tokens_lost", pa.int32(), nullable=False),  # of the prompt: they had no place before the face's slots
        pa.field("flagged", pa.bool_()),  # by the base's safety checker; null: it has none
        pa.field("faces_found", pa.int32(), nullable=False),  # in the image
        pa.field("box", vectors()),  # of the largest face, x0, y0, x1, y1 in pixels of the image
        # Of the largest face: x and y of left eye, right eye, nose, left and right corner of the mouth, as seen
        pa.field("landmarks", vectors()),
        # Of the largest face: what the conditioning embedder and the judge see in it; null without a face or embedder.
        # The values are those of float16
        pa.field("face_vector", vectors()),
        pa.field("identity_vector", vectors()),  # of face_vector: tells people apart, at unit length
        pa.field("judge_vector", vectors()),  # at unit length
        # Cosines; null where they cannot be had, never a zero in place of a face that was not found
        pa.field("similarity", pa.float32()),  # of identity vectors of the face made and the vector asked for
        pa.field("judge_similarity", pa.float32()),  # the judge's, of the face made and the bank's portrait
        pa.field("text_alignment", pa.float32()),  # CLIP, image and prompt
        pa.field("face_alignment", pa.float32()),  # CLIP, the face made and the bank's portrait
        pa.field("seconds", pa.float32(), nullable=False),  # its share of its batch's time
    ],
    metadata={"face0.schema": "results", "face0.version": RESULTS_VERSION},
)
