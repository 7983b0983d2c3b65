"""Text-to-image conditioned on a face: the library behind the pipelines, by subject.

  config = embedder_config("vggface2")                  an embedder; config.load("cpu") loads it
  FaceReader(config.load("cpu"), ...)("anna.jpg")       the face of a photograph
  bank = read_bank("bank.parquet")                      a bank of faces, by their names
  FaceShards(["shards"]).batches(...)                   images, captions and faces to train on
  FaceSpace.load("space").faces(...)                    random faces, which are nobody's
  Face0Pipeline.from_pretrained("model")(prompt, face)  images, as a pipeline of diffusers makes them
  Guidance(w=7.5, c=0.5)                                how strongly text and face steer
  open_results("renders").table()                       what face0 generate has made and measured
  read_deny("people.parquet", 0.5, config.metadata())   people to leave out
  write_audit("report", open_results("renders"))        what the words alone do to the faces

UsageError says what is wrong and the remedy. Nothing is printed; show_progress() shows bars within its block. Each name
is imported as it is used. docs/how-to/use-from-python.md has lines that run; help(face0.FaceShards) tells more.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

import lazy_loader as lazy

if TYPE_CHECKING:
    from face0.embedders.specification import embedder_config
    from face0.errors import UsageError
    from face0.faces.bank import read_bank
    from face0.faces.deny_list import read_deny
    from face0.faces.photographs import FaceReader
    from face0.faces.space import FaceSpace
    from face0.generation.results import open_results
    from face0.model.guidance import Guidance
    from face0.model.pipeline import Face0Pipeline
    from face0.reports.audit.page import write_audit
    from face0.runtime.progress import show_progress
    from face0.shards.loader import FaceShards

__version__ = version("face0")

_PUBLIC = {
    "embedders.specification": ["embedder_config"],
    "errors": ["UsageError"],
    "faces.bank": ["read_bank"],
    "faces.deny_list": ["read_deny"],
    "faces.photographs": ["FaceReader"],
    "faces.space": ["FaceSpace"],
    "generation.results": ["open_results"],
    "model.guidance": ["Guidance"],
    "model.pipeline": ["Face0Pipeline"],
    "reports.audit.page": ["write_audit"],
    "runtime.progress": ["show_progress"],
    "shards.loader": ["FaceShards"],
}
__getattr__, __dir__, _ = lazy.attach(__name__, submod_attrs=_PUBLIC)
__all__ = [
    "Face0Pipeline",
    "FaceReader",
    "FaceShards",
    "FaceSpace",
    "Guidance",
    "UsageError",
    "embedder_config",
    "open_results",
    "read_bank",
    "read_deny",
    "show_progress",
    "write_audit",
]
