"""The failure row: what happened to an input row that could not be used."""

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa


class Reason(StrEnum):
    """Why a row failed. A closed list of stable codes: scripts and ``--retry-failed`` rely on them."""

    # Read: the container

    UNREADABLE_INPUT = "unreadable_input"
    """A file, or the rest of it, is corrupt or cut short: one row for all that was lost, and exit code 1."""
    MALFORMED = "malformed"
    """A record of a list that its format rejects: a stray quotation mark, too many fields. The others are read."""
    DUPLICATE_KEY = "duplicate_key"
    """The key was seen before in this task."""
    NO_IMAGE = "no_image"
    """A caption without an image."""
    NO_CAPTION = "no_caption"
    """An image without a caption, or with a blank one, or with one that is no text: an object, or a list of these."""
    BAD_ENCODING = "bad_encoding"
    """A caption, or a record of a list, in another encoding than UTF-8, UTF-16 and UTF-32: `--encoding` says which."""
    NOT_DOWNLOADED = "not_downloaded"
    """img2dataset could not download it when it made the input. Does not count against `--max-failures`."""

    # Fetch: an image by its URI

    FETCH_404 = "fetch_404"
    """Not found."""
    FETCH_DENIED = "fetch_denied"
    """Denied by the server or the file system: 401, 403, or file permissions."""
    NOT_ALLOWED = "not_allowed"
    """A list, or a link in a folder, names what is not its to name; the message says which `--allow` permits it."""
    OPTED_OUT = "opted_out"
    """Its server says `X-Robots-Tag: noai` or `noimageai`; `--ignore-robots-tag` reads it all the same. Does not count
    against `--max-failures`."""
    FETCH_TIMEOUT = "fetch_timeout"
    """No answer in time, retries included."""
    FETCH_ERROR = "fetch_error"
    """Anything else: no such host, server error, a server that asks to wait for too long, unknown protocol."""

    # Decode: from bytes to pixels

    EMPTY = "empty"
    """Zero bytes."""
    TRUNCATED = "truncated"
    """A known format that ends early."""
    CORRUPT = "corrupt"
    """A known format, whole, that does not decode."""
    NOT_AN_IMAGE = "not_an_image"
    """HTML, SVG, PDF, text, anything without the signature of an image."""
    UNSUPPORTED = "unsupported"
    """A format or pixels that are not read: PSD, camera raw, HDR (PQ, HLG), floats. In fetch: a device, no file."""
    ZERO_SIZE = "zero_size"
    """Width or height is 0."""
    BOMB = "bomb"
    """A small file that would take memory of a large one: very many pixels to a byte, or entries that share bytes."""
    TOO_LARGE = "too_large"
    """Honestly over `--max-pixels` or `--max-bytes`. In read and fetch too."""

    # Plan: the request of an image

    UNKNOWN_FACE = "unknown_face"
    """The bank has no such face."""
    NO_VECTOR = "no_vector"
    """The bank's row has no vector (its note says why: no face in the photograph), or one of another length."""
    BAD_REQUEST = "bad_request"
    """A size that is no multiple of the model's; or a sampler, steps, seed or guidance that cannot be."""

    # Decode, faces, render: the models

    NOT_FINITE = "not_finite"
    """The model's image is not made of numbers."""
    OUT_OF_MEMORY = "out_of_memory"
    """It does not fit into the memory of the machine or GPU even alone; batches are halved first."""

    # Faces, render: the process

    LIBRARY_ERROR = "library_error"
    """A library raised an error of a kind that nobody foresaw; the message has it."""
    KILLED_WORKER = "killed_worker"
    """The process that worked on the row was ended, twice, with nothing else under way: a crash, or memory."""
    TIMED_OUT = "timed_out"
    """The row stood still for longer than `--row-timeout`, with nothing else under way."""

    # Faces, plan: people who are not to be there

    DENIED = "denied"
    """A face is like one of the bank `--deny`."""
    FORGOTTEN = "forgotten"
    """Removed by `face0 forget`."""


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
    """One row of ``failures/<task>.parquet``.

    Attributes:
        key: of the row; the request's id for an image that was asked for.
        source: URI of the container or the image, "#member" appended for a part of a container.
        stage: where it failed.
        reason: why.
        message: a sentence for a person.
    """

    key: str
    source: str
    stage: Stage
    reason: Reason
    message: str


FAILURES = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("key", "source", "stage", "reason", "message")],
    metadata={"face0.schema": "failures", "face0.version": "1"},
)
