"""What trainings keep of the photographs that they were given: grids of samples, pictures in their logs, latents.

None of these says whose photographs it holds, so it goes with all others of its kind if the shards of the training hold
a row of one of the people, or may have held one: rows were taken out of them since, or they are not among the places.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from face0.io.folder import Folder
from face0.io.secrets import public
from face0.model.lineage import LINEAGE, Lineage
from face0.privacy.event_files import copy_without_pictures, has_pictures
from face0.privacy.matches import LocationMatches, Match
from face0.reports.pages import PAGE
from face0.reports.training.page import write_training
from schemas.latents import LATENTS, record_of, shards_of_record

_PARTS = {LINEAGE, "checkpoints", "samples", "logs"}  # of a model folder, those that tell it


class What(StrEnum):
    """What a file of a training holds."""

    GRID = "held-out photographs, and pictures made of their faces"
    REPORT = "the same pictures in the report, which is written anew without"
    LOG = "the same pictures in the log of TensorBoard, whose figures stay"
    LATENTS = "photographs as latents, which the next training makes anew"


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A file that shows photographs of the shards of a training, or what was made of them.

    Attributes:
        location: URI of the file.
        what: it holds.
        shards: URIs of the shards; empty: they are not known.
    """

    location: str
    what: What
    shards: Sequence[str]

    @property
    def uri(self) -> str:
        """The URI in its public form: its name in what is kept and shown."""
        return public(self.location)

    def suspicion(self, places: Collection[str], holding: Collection[str]) -> str | None:
        """Why it may show a person, in words; None: it does not.

        Args:
            places: URIs of the outputs of augment that were looked through.
            holding: those of them that hold rows of the person, or have held rows that are gone.
        """
        if not self.shards:
            return f"{self.what}; the shards of it are not known"
        if theirs := [uri for uri in self.shards if uri in holding]:
            return f"{self.what}; of {', '.join(theirs)}"
        if others := [uri for uri in self.shards if uri not in places]:
            return f"{self.what}; of {', '.join(others)}, which is not in the places given"
        return None

    def remove(self) -> None:
        """Removes the file; of a log just the pictures."""
        folder, name = Folder.of_file(self.location)
        if self.what == What.LOG:
            with folder.open(name) as file, folder.write(name) as output:
                copy_without_pictures(file, output)
            return
        folder.remove(name)
        if self.what == What.REPORT:
            write_training(folder.uri)  # of what is left: the grids have gone before
        if self.what == What.LATENTS:
            folder.remove(record_of(name))


@dataclass(frozen=True, kw_only=True)
class TrainingLocation:
    """A model folder, or a folder of latents.

    Attributes:
        kind: "model" or "latents".
        uri: of the folder, in its public form.
        shards: of a model, of all its checkpoints; empty: they are not known.
        copies: the files of it.
    """

    kind: str
    uri: str
    shards: Sequence[str]
    copies: Sequence[Copy]

    def look(self, places: Collection[str], holding: Collection[str]) -> LocationMatches:
        """What is to go of it; see ``Copy.suspicion``."""
        reasons = {copy.uri: copy.suspicion(places, holding) for copy in self.copies}
        trained = self.kind == "model" and any(uri in holding for uri in self.shards)
        return LocationMatches(
            kind=self.kind,
            uri=self.uri,
            size=len(self.copies),
            found=[Match(name=uri, why=why, file=uri) for uri, why in reasons.items() if why],
            note="its weights have learnt from such rows, which stays: train anew without them" if trained else "",
        )

    def remove(self, uris: Collection[str]) -> None:
        """Removes what these files show."""
        for copy in self.copies:
            if copy.uri in uris:
                copy.remove()


def open_training(uri: str) -> TrainingLocation | None:
    """The model, or the latents, in a folder; None: there is nothing of the kind."""
    folder = Folder(uri)
    names = folder.entries()
    if any(name.endswith(LATENTS) for name in names):
        return TrainingLocation(kind="latents", uri=public(uri), shards=(), copies=list(_latents(folder, names)))
    if not _PARTS.intersection(names):
        return None
    lineages = [*_lineages(folder, names)]
    shards = list(dict.fromkeys(public(shard) for lineage in lineages for shard in lineage.shards))
    copies = [Copy(location=folder.join(name), what=What.GRID, shards=shards) for name in folder.files("samples")]
    copies += [
        Copy(location=folder.join(name), what=What.LOG, shards=shards)
        for name in folder.files("logs")
        if _has_pictures(folder, name)
    ]
    if _shows_pictures(folder):
        copies.append(Copy(location=folder.join(PAGE), what=What.REPORT, shards=shards))
    for file in dict.fromkeys(lineage.latents for lineage in lineages if lineage.latents):
        place, name = Folder.of_file(file)
        copies += _latents(place, [name] if place.exists(name) else [])
    return TrainingLocation(kind="model", uri=public(uri), shards=shards, copies=copies)


def _lineages(folder: Folder, names: Collection[str]) -> Iterator[Lineage]:
    files = [LINEAGE] if LINEAGE in names else []
    files += [f"checkpoints/{name}/{LINEAGE}" for name in folder.entries("checkpoints")]
    for file in files:
        try:
            yield Lineage.from_json(folder.read(file))
        except (FileNotFoundError, ValueError):  # of a checkpoint that was not completed
            continue


def _has_pictures(folder: Folder, name: str) -> bool:
    with folder.open(name) as file:
        return has_pictures(file)


def _shows_pictures(folder: Folder) -> bool:
    return folder.exists(PAGE) and b"data:image/" in folder.read(PAGE)


def _latents(folder: Folder, names: Sequence[str]) -> Iterator[Copy]:
    for name in names:
        if name.endswith(LATENTS):
            record = record_of(name)
            shards = shards_of_record(folder.read(record)) if folder.exists(record) else ()
            yield Copy(location=folder.join(name), what=What.LATENTS, shards=shards)
