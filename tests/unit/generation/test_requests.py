"""Requests: their ids, and what of them cannot be rendered."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from face0.generation.manifest import cross
from face0.generation.plan import join_requests
from face0.generation.requests import as_table, read_requests
from schemas.failures import Reason
from tests.fixtures.requests import BANK, MODEL, asked

CHANGES = [
    {"prompt": "a dog"}, {"negative_prompt": "blur"}, {"face_id": "berta"}, {"face_id": ""}, {"seed": 1}, {"w": 3.0},
    {"c": 0.5}, {"a": 0.5}, {"guide_from": 0.1}, {"guide_to": 0.9}, {"rescale": 0.5}, {"sigma": 0.1},
    {"sampler": "euler"}, {"steps": 20}, {"width": 128}, {"height": 128}, {"face_id": "", "bare": True},
]  # fmt: skip


def test_a_requests_id_is_of_all_that_determines_the_image_and_nothing_else() -> None:
    names = [asked(**change).request_id for change in CHANGES]
    assert len({*names, asked().request_id}) == len(CHANGES) + 1
    for same in ({}, {"label": "mine"}, {"face_id": "twin"}, {"width": 64, "height": 64}, {"w": 7.5}):
        assert asked(**same).request_id == asked().request_id
    other = replace(MODEL, fingerprint="g")
    (request,), _ = join_requests(cross(["a cat"], ["anna"], [0]), BANK, other, portraits=False)
    assert request.request_id != asked().request_id


def test_ids_do_not_change_between_versions() -> None:
    assert asked(face_id="", prompt="é").request_id == "ad24f80ee862d7f636d9d763ec9d3325"


@pytest.mark.parametrize(
    ("settings", "reason", "said"),
    [
        ({"face_id": "zoe"}, Reason.UNKNOWN_FACE, "no face 'zoe'; it has 5: 'anna'"),
        ({"face_id": "nobody"}, Reason.NO_VECTOR, "no face was found in 1.jpg"),
        ({"face_id": "short"}, Reason.NO_VECTOR, "has 4 values, the model takes 8"),
        ({"width": 60}, Reason.BAD_REQUEST, "width 60: give a multiple of 8"),
        ({"height": 8192}, Reason.BAD_REQUEST, "height 8192"),
        ({"width": -8}, Reason.BAD_REQUEST, "width -8"),
        ({"sampler": "plms"}, Reason.BAD_REQUEST, "sampler 'plms': give one of ddim"),
        ({"steps": 0}, Reason.BAD_REQUEST, "steps 0"),
        ({"seed": -1}, Reason.BAD_REQUEST, "seed -1"),
        ({"w": float("nan")}, Reason.BAD_REQUEST, "w nan"),
        ({"guide_to": 2.0}, Reason.BAD_REQUEST, "guide_to 2: give 0 to 1"),
        ({"sigma": -1.0}, Reason.BAD_REQUEST, "sigma -1"),
        ({"bare": True}, Reason.BAD_REQUEST, "leave face_id empty"),
    ],
)
def test_what_cannot_be_rendered_says_why(settings: dict[str, object], reason: Reason, said: str) -> None:
    request = asked(**settings)
    assert request.reason == reason
    assert said in (request.message or "")


def test_requests_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    requests = [asked(), asked(face_id="berta"), asked(face_id=""), asked(face_id="zoe")]
    pq.write_table(as_table(requests), tmp_path / "r.parquet")
    back = read_requests(str(tmp_path / "r.parquet"), 0)
    for one, other in zip(requests, back, strict=True):
        assert {**vars(one), "vector": None} == {**vars(other), "vector": None}
        assert (one.vector is None) == (other.vector is None)
        assert one.vector is None or (one.vector == other.vector).all()
    assert back[1].portrait == b"a picture"
