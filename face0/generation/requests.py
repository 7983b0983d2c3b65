"""Requests: the rows of a manifest, each with its face's vector and the id that is made of all it asks for."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from face0.faces.edits import noisy
from face0.io import storage
from face0.io.names import kept_key
from face0.model.folder import ModelFacts
from face0.model.guidance import Guidance
from face0.model.samplers import SAMPLERS, samples_as_ever, steps_refusal
from schemas.failures import Reason
from schemas.requests import REQUESTS, SETTINGS

MAX_IMAGE_SIDE = 4096  # pixels
_SAMPLING = 2  # changes when a sampler's steps or settings do


@dataclass(frozen=True, kw_only=True)
class Request:
    """One image that is asked for: see ``schemas.requests``."""

    request_id: str
    prompt: str
    negative_prompt: str
    face_id: str
    bare: bool
    seed: int
    w: float
    c: float
    a: float
    guide_from: float
    guide_to: float
    rescale: float
    sigma: float
    sampler: str
    steps: int
    width: int
    height: int
    label: str
    vector: np.ndarray | None
    portrait: bytes | None
    reason: str | None = None
    message: str | None = None

    @property
    def guidance(self) -> Guidance:
        """How text and face steer; without slots for a face the text alone does."""
        c, a = (1.0, 0.0) if self.bare else (self.c, self.a)
        return Guidance(w=self.w, c=c, a=a, start=self.guide_from, stop=self.guide_to, rescale=self.rescale)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What requests must have alike to go through the model together."""
        return self.width, self.height, self.steps, self.sampler, *vars(self.guidance).values()

    @property
    def conditioning(self) -> np.ndarray | None:
        """The vector with its noise, float32 [dim]; None without a face."""
        return None if self.vector is None else noisy(self.vector, self.sigma, self.seed)

    @property
    def settings(self) -> dict[str, Any]:
        """The values of the columns SETTINGS, by name."""
        return {field.name: getattr(self, field.name) for field in SETTINGS}


def make_request(row: Mapping[str, Any], vector: np.ndarray | None, model: ModelFacts) -> Request:
    """Makes the request of a row of a manifest. It may be one that cannot be rendered: see ``problem``.

    Args:
        row: the columns of MANIFEST; a width or height of 0 is the side that the model was made for.
        vector: of the face, float32 [dim]; None: no face.
        model: for which it is.

    Returns:
        The request, still without a portrait.
    """
    values = {name: value for name, value in row.items() if name != "label"}
    values["width"], values["height"] = values["width"] or model.side, values["height"] or model.side
    return Request(
        **values,
        label=kept_key(row["label"]),
        request_id=request_id(values, vector, model),
        vector=vector,
        portrait=None,
    )


def request_id(settings: Mapping[str, Any], vector: np.ndarray | None, model: ModelFacts) -> str:
    """The id of a request: 128 bits of the SHA-256 of all that determines the image, 32 hexadecimal digits.

    The name of the face is no part of it, its vector is.

    Args:
        settings: the columns SETTINGS, as JSON values.
        vector: of the face, hashed as float32 [dim]; None: no face.
        model: its fingerprint is a part.
    """
    content = {name: value for name, value in settings.items() if name != "face_id"}
    content["vector"] = None if vector is None else hashlib.sha256(np.asarray(vector, "<f4").tobytes()).hexdigest()
    content["model"] = model.fingerprint
    if not samples_as_ever(settings["sampler"], settings["steps"], model.scheduler):
        content["sampling"] = _SAMPLING
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def problem(request: Request, model: ModelFacts) -> tuple[Reason, str] | None:
    """Why a request cannot be rendered, in a sentence with the value and the remedy; None if it can."""
    if request.vector is not None and len(request.vector) != model.dim:
        return Reason.NO_VECTOR, (
            f"the vector of face {request.face_id!r} has {len(request.vector)} values, the model takes {model.dim}: "
            "make it with the embedder of the model"
        )
    if request.vector is not None and not np.isfinite(request.vector).all():
        return Reason.NO_VECTOR, f"the vector of face {request.face_id!r} is not all numbers: make it again"
    if complaint := _bad_setting(request, model):
        return Reason.BAD_REQUEST, complaint
    return None


def _bad_setting(request: Request, model: ModelFacts) -> str | None:
    for name in ("width", "height"):
        pixels = getattr(request, name)
        if pixels % model.multiple or not 0 < pixels <= MAX_IMAGE_SIDE:
            return f"{name} {pixels}: give a multiple of {model.multiple} pixels, at most {MAX_IMAGE_SIDE}"
    if request.sampler not in SAMPLERS:
        return f"sampler {request.sampler!r}: give one of {', '.join(SAMPLERS)}"
    if refusal := steps_refusal(request.steps, model.times):
        return refusal
    if not 0 <= request.seed < 2**63:
        return f"seed {request.seed}: give 0 or more"
    for name in ("w", "c", "a"):
        if not math.isfinite(getattr(request, name)):
            return f"{name} {getattr(request, name)}: give a number"
    for name in ("guide_from", "guide_to", "rescale"):
        if not 0 <= getattr(request, name) <= 1:
            return f"{name} {getattr(request, name):g}: give 0 to 1"
    if not 0 <= request.sigma < math.inf:
        return f"sigma {request.sigma:g}: give 0 or more"
    if request.bare and request.face_id:
        return f"bare, and the face {request.face_id!r}: a bare image has no slots for a face, leave face_id empty"
    return None


def read_requests(uri: str, row_group: int) -> list[Request]:
    """Reads the requests of a task.

    Args:
        uri: of a file of requests.
        row_group: of the file.
    """
    names = [field.name for field in fields(Request)]
    with storage.open_uri(uri) as file:
        rows = pq.ParquetFile(file).read_row_group(row_group, columns=names).to_pylist()
    return [
        Request(**{**row, "vector": None if row["vector"] is None else np.array(row["vector"], np.float32)})
        for row in rows
    ]


def as_table(requests: Sequence[Request]) -> pa.Table:
    """Requests as rows of REQUESTS."""
    return pa.Table.from_pylist([vars(request) for request in requests], schema=REQUESTS)
