"""People in face spaces: the vectors of real faces that a space keeps, against which draws are checked.

Its mean, covariances and mixture are sums over all faces of the corpus: nobody can be told in them, or taken out.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from face0.embedders.metadata import refuse_other_embedder
from face0.faces.space import RECORD, FaceSpace, packed
from face0.io.folder import Folder
from face0.io.secrets import public
from face0.privacy.matches import LocationMatches, Match
from face0.privacy.people import Subjects

_SAMPLE = "sample"  # the array with the vectors


@dataclass(frozen=True)
class SpaceLocation:
    """A face space that is looked through.

    Attributes:
        location: URI of the folder.
        space: what it holds.
    """

    location: str
    space: FaceSpace

    @property
    def uri(self) -> str:
        """The URI in its public form: its name in what is kept and shown."""
        return public(self.location)

    def look(self, people: Subjects, holding: Collection[str]) -> LocationMatches:
        """The faces of its sample that are like one of theirs.

        Args:
            people: who is looked for.
            holding: URIs of the shards that hold rows of theirs, or have held rows that are gone.

        Raises:
            UsageError: its vectors are of another embedder.
        """
        record = self.space.record
        refuse_other_embedder(self.uri, record.embedder, people.uri, people.embedder)
        similarity = people.similarity(self.space.parameters[_SAMPLE])
        found = [
            Match(
                name=f"{_SAMPLE} {i}",
                why=f"similarity {similarity[i]:.3f}",
                similarity=round(float(similarity[i]), 4),
            )
            for i in np.flatnonzero(similarity >= people.like.threshold).tolist()
        ]
        counted = found or any(public(uri) in holding for uri in record.corpus)
        note = "its means and covariances have counted them, which stays: fit it anew to the shards as they are then"
        return LocationMatches(
            kind="space", uri=self.uri, size=record.sample, found=found, note=note if counted else ""
        )

    def remove(self, names: Collection[str]) -> None:
        """Takes faces out of the sample; a space of which none is left is removed."""
        parameters = self.space.parameters
        stays = [f"{_SAMPLE} {i}" not in names for i in range(len(parameters[_SAMPLE]))]
        if all(stays):
            return
        parameters = {**parameters, _SAMPLE: np.ascontiguousarray(parameters[_SAMPLE][stays])}
        if not any(stays):
            folder = Folder(self.location)
            for name in (RECORD, *(name for name in folder.files() if name != RECORD)):
                folder.remove(name)
            return
        digest = hashlib.sha256(packed(parameters)).hexdigest()
        FaceSpace(replace(self.space.record, sample=sum(stays), sha256=digest), parameters).save(self.location)
