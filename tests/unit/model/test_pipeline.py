"""The pipeline's denoising step, and the faces that it takes."""

import numpy as np
import pytest
import torch

from face0.generation.renderer import Renderer
from face0.model.guidance import Branch
from face0.model.pipeline import Face0Pipeline
from face0.model.samplers import make_scheduler
from tests.fixtures.models import DIM
from tests.fixtures.requests import request


def test_a_step_is_the_papers_formula_computed_naively(pipe: Face0Pipeline, render: Renderer) -> None:
    """One DDIM step from pure noise, each branch by a call of its own, in float64."""
    asked = request(w=3.0, c=0.3, a=0.4, steps=1)
    contexts = render._contexts(asked)
    start = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = pipe.denoise(start, contexts, asked.guidance, 1, make_scheduler("ddim", pipe.scheduler.config))
        scheduler = make_scheduler("ddim", pipe.scheduler.config)
        scheduler.set_timesteps(1)
        (t,) = scheduler.timesteps
        eps = {b: pipe.unet(start, t, encoder_hidden_states=c).sample.double() for b, c in contexts.items()}
    hat = 0.3 * eps[Branch.BOTH] + 0.7 * (0.4 * eps[Branch.FACE] + 0.6 * eps[Branch.TEXT])
    guided = 3.0 * hat - 2.0 * eps[Branch.NONE]
    expected = scheduler.step(guided, t, start.double()).prev_sample
    torch.testing.assert_close(made.double(), expected, rtol=1e-4, atol=1e-4)


def test_a_vector_of_another_length_does_not_pass(pipe: Face0Pipeline) -> None:
    with pytest.raises(ValueError, match=f"a face of {DIM + 1} values"):
        pipe.face_slots(np.zeros((1, DIM + 1), np.float32))
