from .bank import BankFace, FaceBank, identified, read_bank, write_bank
from .corpus import Corpus, read_corpus
from .deny_list import DenyList, read_deny
from .edits import Gallery, interpolate, perturb, translate
from .embedding import EmbeddedFaces, FaceEmbedder, PhotographFaces
from .from_shards import of_shards
from .photographs import FaceReader, PhotographFace, from_photographs, photographs_by_person
from .space import FaceSpace
from .space_fit import fit
from .strangers import PhotographSample, refuse_strangers, sample_output, warn_of_alike

__all__ = [
    "BankFace",
    "Corpus",
    "DenyList",
    "EmbeddedFaces",
    "FaceBank",
    "FaceEmbedder",
    "FaceReader",
    "FaceSpace",
    "Gallery",
    "PhotographFace",
    "PhotographFaces",
    "PhotographSample",
    "fit",
    "from_photographs",
    "identified",
    "interpolate",
    "of_shards",
    "perturb",
    "photographs_by_person",
    "read_bank",
    "read_corpus",
    "read_deny",
    "refuse_strangers",
    "sample_output",
    "translate",
    "warn_of_alike",
    "write_bank",
]
