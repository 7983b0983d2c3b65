"""Pairs of real photographs: how alike one person's are to an encoder, and strangers'."""

from collections.abc import Mapping, Sequence

import numpy as np

from face0.errors import UsageError
from face0.evaluation.characters.verdicts import RealPairs
from face0.faces.photographs import FaceReader
from face0.runtime.concurrency import ordered_map
from face0.runtime.progress import PATIENCE, ProgressBar

MOST = 1_000_000  # pairs of strangers that are kept


def pairs_of_people(
    photographs: Mapping[str, Sequence[str]],
    read: FaceReader,
    encoder: str,
    name: str,
    threads: int,
) -> RealPairs:
    """The ceiling and the floor that characters are compared with.

    Args:
        photographs: by person, as ``photographs_by_person`` finds them.
        read: finds and embeds the largest face of each.
        encoder: ``judge`` or ``conditioning``.
        name: of the photographs, as the report names them.
        threads: that read photographs.

    Raises:
        UsageError: there are no two photographs of a person with a face, or no two people.
    """
    uris = [uri for several in photographs.values() for uri in several]
    owners = np.repeat(np.arange(len(photographs)), [len(several) for several in photographs.values()])
    reading = ordered_map(read, uris, workers=threads, ahead=2 * threads)
    faces = list(ProgressBar(reading, total=len(uris), unit="photographs", patience=PATIENCE))
    usable = [i for i, face in enumerate(faces) if face.identity_vector is not None]
    vectors = [face.identity_vector for face in faces if face.identity_vector is not None]
    if not vectors:
        raise UsageError(f"no face was found in any photograph of {name}")
    unit, owners = np.stack(vectors), owners[usable]
    one, other = np.triu_indices(len(unit), k=1)
    cosines, same = np.einsum("ij,ij->i", unit[one], unit[other]), owners[one] == owners[other]
    if not same.any() or same.all():
        raise UsageError(f"{name} needs a folder for each of several people, and two photographs of some of them")
    different = cosines[~same]
    return RealPairs(name=name, encoder=encoder, same=cosines[same], different=different[:: -(-len(different) // MOST)])
