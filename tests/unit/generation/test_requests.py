"""Requests: their ids, and what of them cannot be rendered."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
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

SAMPLED = {
    "default": {},
    "few": {"steps": 4},
    "uneven": {"steps": 350},
    "euler": {"sampler": "euler"},
    "dpm++": {"sampler": "dpm++"},
    "unipc": {"sampler": "unipc"},
}


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


def test_ids_are_others_where_images_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in version 0.2 for the images that are, and not for those whose sampler goes through other levels now."""
    current = {name: asked(**settings).request_id for name, settings in SAMPLED.items()}
    assert current == {
        "default": "3a3ca8d49aca157d5ae4814e7e36cc4f",
        "few": "bda047f6ff8322c87573344587b14e02",
        "uneven": "b79440c739211bd4680e2debab822fa7",
        "euler": "245f42c66306aacb81784393b761aad1",
        "dpm++": "1e465ffcaf420f36cc2cdd6180a547e9",
        "unipc": "b86846e2b20449301395700dc399b8bd",
    }
    monkeypatch.setattr("face0.generation.requests.samples_as_ever", lambda *_: True)
    before = {name: asked(**settings).request_id for name, settings in SAMPLED.items()}
    assert {name for name in SAMPLED if before[name] == current[name]} == {"default"}


def test_ids_tell_a_model_whose_scheduler_was_clipped() -> None:
    clipped = replace(MODEL, scheduler={**MODEL.scheduler, "clip_sample": True})
    (request,), _ = join_requests(cross(["a cat"], ["anna"], [0]), BANK, clipped, portraits=False)
    assert request.request_id != asked().request_id


@pytest.mark.parametrize("steps", [-1, 0, 21, 1000])
def test_steps_beyond_the_models_own_are_one_rows_failure(steps: int) -> None:
    model = replace(MODEL, scheduler={**MODEL.scheduler, "num_train_timesteps": 20})
    settings = {"steps": steps}
    manifest = pa.concat_tables(
        [cross(["a cat"], ["anna"], [0], settings=settings), cross(["a cat"], [""], [0], settings={"steps": 20})]
    )
    (bad, good), _ = join_requests(manifest, BANK, model, portraits=False)
    assert (bad.reason, good.reason) == (Reason.BAD_REQUEST, None)
    assert bad.message == f"steps {steps}: give 1 to 20, the noise levels of the model"


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
