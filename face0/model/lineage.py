"""The lineage of a trained model: what it was made from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from face0.errors import UsageError
from face0.io.json import differences
from face0.io.secrets import public

LINEAGE = "lineage.json"


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """``lineage.json`` of a model folder.

    Attributes:
        step: of the training, to which the weights belong.
        held_out_loss: at this step; None: it was not evaluated then.
        config: of the training, as JSON values.
        base: URI of the model from which it started.
        base_fingerprint: of the base's weights; empty in folders made before it was recorded.
        shards: URIs of the face shards.
        fingerprint: of the shards with the choice of their rows.
        embedder: what made the shards' vectors.
        holdout: which rows were held out.
        rows: which rows were trained on.
        versions: of the libraries.
        latents: the local file in which the photographs' latents are kept; empty: in none.
    """

    step: int
    held_out_loss: float | None = None
    config: Mapping[str, Any]
    base: str
    base_fingerprint: str = ""
    shards: Sequence[str]
    fingerprint: str
    embedder: Mapping[str, str]
    holdout: Mapping[str, Any]
    rows: Mapping[str, Any]
    versions: Mapping[str, str]
    latents: str = ""

    @property
    def base_name(self) -> str:
        """The last part of the base's URI."""
        return public(self.base).rsplit("/", 1)[-1]

    @classmethod
    def from_json(cls, text: str | bytes) -> "Lineage":
        """Parses ``to_json``'s output. Raises ValueError if it is no lineage."""
        record = json.loads(text)
        try:
            return cls(**{field.name: record[field.name] for field in fields(cls) if field.name in record})
        except TypeError as error:
            raise ValueError(f"{LINEAGE} is not whole: {error}") from error

    @classmethod
    def read(cls, folder: Path, uri: str) -> "Lineage":
        """The lineage of a model in a local folder.

        Args:
            folder: where it lies.
            uri: what the user calls it.

        Raises:
            UsageError: it is no output of face0 train, or not whole.
        """
        remedy = "give an output folder of face0 train"
        try:
            return cls.from_json((folder / LINEAGE).read_bytes())
        except FileNotFoundError as error:
            raise UsageError(f"{uri} has no {LINEAGE}: {remedy}") from error
        except (OSError, ValueError) as error:
            raise UsageError(f"{uri} is not whole: {error}; {remedy}") from error

    def write(self, folder: Path) -> None:
        """Writes it into a local folder."""
        (folder / LINEAGE).write_text(json.dumps(asdict(self), indent=2))

    def differences(self, now: "Lineage") -> list[str]:
        """Lists what decides the weights and is another now, in words. More steps may be asked for.

        A cosine schedule depends on the number of steps, so there they may not. Base and shards are known by their
        digests.
        """
        old, new = ({**lineage.config, "shards": lineage.fingerprint[:12]} for lineage in (self, now))
        if self.base_fingerprint != now.base_fingerprint:
            old["base"], new["base"] = (
                f"{lineage.base} with the digest {lineage.base_fingerprint[:12]}" for lineage in (self, now)
            )
        if new["schedule"] != "cosine":
            old.pop("steps", None)
            new.pop("steps", None)
        return differences(old, new, "{}, now {}")
