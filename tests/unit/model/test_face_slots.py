"""Faces of a call: for all prompts or another for each, in slots, as vectors and as photographs."""

import numpy as np
import pytest
import torch
from PIL import Image

from face0.errors import UsageError
from face0.model.base_models import base_model
from face0.model.pipeline import Face0Pipeline
from face0.model.presets import BASE_PRESETS
from face0.model.projection import FaceProjection
from tests.fixtures.models import DIM, vector
from tests.fixtures.pipeline_calls import picture, seeded


@pytest.fixture(scope="module")
def two_slots() -> Face0Pipeline:
    """A pipeline for two faces in a picture, which finds the red of a photograph to be a face."""
    torch.manual_seed(0)
    projection = FaceProjection(embedding_dim=DIM, context_dim=BASE_PRESETS["tiny"].context, width=16, slots=2)
    made = Face0Pipeline.from_base(base_model(BASE_PRESETS["tiny"], 0), projection)
    made.face_vectors = lambda photograph: vector(np.asarray(photograph)[0, 0, 0])[None]  # type: ignore[method-assign]
    return made


def photograph(number: int) -> Image.Image:
    return Image.new("RGB", (8, 8), (number, 0, 0))


def two(pipe: Face0Pipeline, face: object) -> np.ndarray:
    return picture(pipe, prompt=["a cat", "a dog"], face=face, generator=[seeded(0), seeded(1)])


def test_another_face_for_each_prompt_is_what_that_face_alone_makes(pipe: Face0Pipeline) -> None:
    faces = np.stack([vector(0), vector(1)])[:, None]
    together = two(pipe, faces)
    alone = [
        picture(pipe, prompt=prompt, face=vector(i), generator=seeded(i)) for i, prompt in enumerate(["a cat", "a dog"])
    ]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)
    for same in (list(faces), [vector(0), vector(1)], torch.from_numpy(faces), [torch.from_numpy(vector(0)), faces[1]]):
        assert np.array_equal(two(pipe, same), together)


def test_one_face_is_for_all_prompts(pipe: Face0Pipeline) -> None:
    both = two(pipe, [vector(0), vector(0)])
    for same in (vector(0), vector(0)[None], vector(0).astype(np.float64), vector(0).tolist(), torch.tensor(vector(0))):
        assert np.array_equal(two(pipe, same), both)


def test_several_faces_of_an_array_are_in_each_picture(two_slots: Face0Pipeline) -> None:
    faces = np.stack([vector(0), vector(1)])
    assert np.array_equal(two(two_slots, faces), two(two_slots, np.stack([faces, faces])))
    assert (two(two_slots, faces) != two(two_slots, faces[::-1].copy())).any()  # slots are told apart


def test_zeros_leave_a_slot_empty(two_slots: Face0Pipeline) -> None:
    padded = np.stack([np.stack([vector(0), np.zeros(DIM, np.float32)]), np.stack([vector(0), vector(1)])])
    assert np.array_equal(two(two_slots, padded), two(two_slots, [vector(0), padded[1]]))
    assert np.array_equal(two(two_slots, [None, vector(0)]), two(two_slots, [padded[0, 1], vector(0)]))


def test_photographs_are_for_all_prompts_or_one_for_each(two_slots: Face0Pipeline) -> None:
    assert np.array_equal(two(two_slots, photograph(1)), two(two_slots, vector(1)))
    assert np.array_equal(two(two_slots, [photograph(1), photograph(2)]), two(two_slots, [vector(1), vector(2)]))


@pytest.mark.parametrize(
    ("face", "message"),
    [
        (np.stack([vector(0), vector(1)]), r"2 faces for a model with 1 slot: .* give \[prompts, 1, dim\]"),
        (np.zeros((3, 1, DIM), np.float32), "faces of 3 prompts for 2: give a list or"),
        ([vector(0)], "faces of 1 prompts for 2"),
        ([], "faces of 0 prompts for 2"),
        (np.zeros(DIM + 1) + 1, f"a face of {DIM + 1} values for a model of {DIM}: another embedder's"),
        (np.zeros((2, 1, 1, DIM)), r"a face is ndarray \(2, 1, 1, 8\)"),
        (np.full(DIM, np.nan), "not finite numbers: give another vector"),
        (["anna.jpg", "berta.jpg"], "a face is str .* give a photograph as PIL image"),
        ("anna.jpg", "a face is str"),
        (photograph(1), r"a photograph needs an embedder: set pipe.embedder"),
    ],
)
def test_faces_that_do_not_fit_are_refused(pipe: Face0Pipeline, face: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        two(pipe, face)
