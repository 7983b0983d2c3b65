from .augmentation import LoadAugmenter
from .face_space import FitAndSave, fit_face_space
from .flags import beam_flags, split_flags
from .generation import Generation
from .generator import LoadGenerator
from .job import Job
from .options import check_device, pipeline_options, worker_processes
from .rendering import Rendering, RenderOptions, plan_rendering
from .sweep import Sweep, render_sweep
from .tasks import RunTasks, Workers

__all__ = [
    "FitAndSave",
    "Generation",
    "Job",
    "LoadAugmenter",
    "LoadGenerator",
    "RenderOptions",
    "Rendering",
    "RunTasks",
    "Sweep",
    "Workers",
    "beam_flags",
    "check_device",
    "fit_face_space",
    "pipeline_options",
    "plan_rendering",
    "render_sweep",
    "split_flags",
    "worker_processes",
]
