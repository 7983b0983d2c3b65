from .base_models import base_model, fit_vae, load_base
from .card import base_card, trained_card
from .folder import ModelFacts, ModelFolder, fingerprint, inspect_model, local_model
from .guidance import GUIDANCE_PRESETS, Branch, Guidance
from .lineage import LINEAGE, Lineage
from .pipeline import Face0Pipeline
from .presets import BASE_PRESETS, BasePreset
from .projection import FaceProjection
from .samplers import SAMPLERS, make_scheduler, saved_scheduler
from .saving import complete_for_older_readers
from .scheduling import set_steps
from .single_file import read_single_file

__all__ = [
    "BASE_PRESETS",
    "GUIDANCE_PRESETS",
    "LINEAGE",
    "SAMPLERS",
    "BasePreset",
    "Branch",
    "Face0Pipeline",
    "FaceProjection",
    "Guidance",
    "Lineage",
    "ModelFacts",
    "ModelFolder",
    "base_card",
    "base_model",
    "complete_for_older_readers",
    "fingerprint",
    "fit_vae",
    "inspect_model",
    "load_base",
    "local_model",
    "make_scheduler",
    "read_single_file",
    "saved_scheduler",
    "set_steps",
    "trained_card",
]
