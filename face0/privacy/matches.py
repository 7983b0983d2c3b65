"""What is to go from a place."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Match:
    """One thing that is to go.

    Attributes:
        name: key, face_id or request_id; of a training the file; of a space the place in its sample.
        why: in words.
        similarity: the cosine; None if it was found in another way.
        file: the shard that holds the row, or the image, relative to the output folder; None: there is none.
    """

    name: str
    why: str
    similarity: float | None = None
    file: str | None = None


@dataclass(kw_only=True)
class LocationMatches:
    """What is to go from one place.

    Attributes:
        kind: "shards", "bank", "renders", "model", "latents" or "space".
        uri: of the output folder or bank.
        size: rows, faces, requests, files or vectors that were looked at.
        found: those that are to go.
        leftovers: files that an earlier removal, cut off, has left, or a job that was killed.
        sweep: report of the sweep whose images these are, and the files that go with it.
        finished: whether the job is; else what is left of it may bring more.
        note: what cannot be removed, in words; empty: nothing is known of such.
    """

    kind: str
    uri: str
    size: int = 0
    found: list[Match] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    sweep: list[str] = field(default_factory=list)
    finished: bool = True
    note: str = ""

    @property
    def names(self) -> set[str]:
        """The names of what is to go."""
        return {match.name for match in self.found}


def share_in_words(share: float) -> str:
    """How much of something is in another, for the end of a line; nothing is said of the whole."""
    return "" if share > 1 - 1e-6 else f", share {max(share, 0.0001):.4g}"
