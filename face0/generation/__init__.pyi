from .asked import read_asked
from .clip import Clip, check_clip
from .config import GenerateConfig, Unsafe
from .faces import of_results
from .generator import Generator
from .image_files import FORMATS
from .manifest import DEFAULTS, cross, read_manifest
from .metrics import ImageMetrics
from .plan import RequestPlan, join_requests, plan_requests, request_files
from .prompts import read_prompts
from .renderer import Renderer
from .requests import Request, make_request
from .results import Results, open_results

__all__ = [
    "DEFAULTS",
    "FORMATS",
    "Clip",
    "GenerateConfig",
    "Generator",
    "ImageMetrics",
    "Renderer",
    "Request",
    "RequestPlan",
    "Results",
    "Unsafe",
    "check_clip",
    "cross",
    "join_requests",
    "make_request",
    "of_results",
    "open_results",
    "plan_requests",
    "read_asked",
    "read_manifest",
    "read_prompts",
    "request_files",
]
