"""The failure row: what happened to an input row that could not be used."""

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa


class Reason(StrEnum):
    """Why a row failed. A closed list of stable codes: scripts and ``--retry-failed`` rely on them."""

    # The container
    UNREADABLE_INPUT = "unreadable_input"  # a file, or the rest of it, cannot be read: corrupt, cut short or gone
    DUPLICATE_KEY = "duplicate_key"  # a second row of one task carries a key that was already seen
    NO_IMAGE = "no_image"  # a row that holds a caption and no image
    NO_CAPTION = "no_caption"  # an image without a caption, or with a blank one
    # Fetching an image by its URI
    FETCH_404 = "fetch_404"  # not found
    FETCH_DENIED = "fetch_denied"  # not allowed (401, 403, permissions)
    FETCH_TIMEOUT = "fetch_timeout"  # no answer in time, retries included
    FETCH_ERROR = "fetch_error"  # anything else: no such host, server error, unknown protocol
    # Decoding
    EMPTY = "empty"  # zero bytes
    TRUNCATED = "truncated"  # a known format that ends early
    CORRUPT = "corrupt"  # a known format, whole, that does not decode
    NOT_AN_IMAGE = "not_an_image"  # HTML, SVG, PDF, text, anything without the signature of an image
    UNSUPPORTED = "unsupported"  # an image in a format or a pixel layout that is not read
    ZERO_SIZE = "zero_size"  # width or height is 0
    BOMB = "bomb"  # a small file that would decode to more than --max-pixels
    TOO_LARGE = "too_large"  # honestly larger than --max-pixels, or than --max-bytes
    # The request of an image
    UNKNOWN_FACE = "unknown_face"  # its face_id is not in the bank
    NO_VECTOR = "no_vector"  # the bank has no vector for it, or one of another length than the model's
    BAD_REQUEST = "bad_request"  # a setting that cannot be: size, steps, sampler, guidance
    # The models
    NOT_FINITE = "not_finite"  # the model's image is not made of numbers
    OUT_OF_MEMORY = "out_of_memory"  # does not fit into the memory of the machine or GPU even alone
    # People who are not to be there
    DENIED = "denied"  # a face is like one of the bank --deny
    FORGOTTEN = "forgotten"  # removed by face0 forget


class Stage(StrEnum):
    """Where in the pipeline a row failed."""

    READ = "read"
    FETCH = "fetch"
    DECODE = "decode"
    FACES = "faces"
    PLAN = "plan"
    RENDER = "render"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One row of ``failures/<task>.parquet``."""

    key: str
    source: str  # URI of the container or the image, "#member" appended for a part of a container
    stage: Stage
    reason: Reason
    message: str  # a sentence for a person


FAILURES = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("key", "source", "stage", "reason", "message")],
    metadata={"face0.schema": "failures", "face0.version": "1"},
)
