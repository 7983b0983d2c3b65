"""Checkpoints of a training: whole or not there, on any file system.

``MODEL/`` itself is the newest, as a diffusers folder. ``MODEL/checkpoints/step-N/`` has the same files and the state
of the training; its ``complete.json`` is written last, and what lacks it is never picked up.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from face0.errors import TrainingError
from face0.io.cards import CARD, is_edited
from face0.io.folder import Folder
from face0.model.lineage import LINEAGE, Lineage

COMPLETE = "complete.json"
STATE = "training_state"  # the folder in a checkpoint that only training needs


class Checkpoints:
    """The checkpoints of a model folder, ``checkpoints/step-00000500/`` and so on, and the model that is its newest.

    A checkpoint counts once its ``complete.json`` is there, which is written last.

    Args:
        uri: of the model folder.
    """

    def __init__(self, uri: str) -> None:
        self._model = Folder(uri)
        self._folder = self._model.folder("checkpoints")

    def records(self) -> dict[int, dict[str, Any]]:
        """What ``complete.json`` says of each whole checkpoint, by its step, oldest first."""
        complete = [f"{name}/{COMPLETE}" for name in self._folder.entries()]
        records = [json.loads(self._folder.read(name)) for name in complete if self._folder.exists(name)]
        return {int(record["step"]): record for record in records}

    def save(self, step: int, write: Callable[[Path], None], record: Mapping[str, Any]) -> None:
        """Saves what ``write`` puts into an empty local folder, and makes it the newest.

        Args:
            step: names the checkpoint.
            write: writes a diffusers folder, ``lineage.json`` and ``training_state/``.
            record: goes into ``complete.json``.

        Raises:
            TrainingError: it could not be written; earlier checkpoints are as they were.
        """
        name = _name(step)
        try:
            self._folder.remove_folder(name)  # half of one, of a run that was killed
            with self._workplace(name) as folder:
                write(folder)
                if self._model.is_local:
                    _sync(folder)
                else:
                    self._folder.put(folder, name)
                self._model.write_text(f"checkpoints/{name}/{COMPLETE}", json.dumps({"step": step, **record}))
                self._publish(folder)
        except (OSError, SafetensorError) as error:
            if step not in self.records():
                self._folder.remove_folder(name)
            raise TrainingError(f"step {step:,} could not be saved in {self._model.uri}: {error}") from error

    def publish(self, step: int) -> None:
        """Makes a checkpoint the newest, unless it is: ``MODEL/`` gets its files, ``lineage.json`` last."""
        if not self._model.exists(LINEAGE) or Lineage.from_json(self._model.read(LINEAGE)).step != step:
            with self.fetched(step) as folder:
                self._publish(folder)

    def _publish(self, folder: Path) -> None:
        self._model.remove(LINEAGE)  # a folder without it is between two models
        parts = [file.relative_to(folder) for file in sorted(folder.rglob("*")) if file.is_file()]
        left_out = {COMPLETE, LINEAGE, *([CARD] if self._has_own_card() else [])}
        model = [part for part in parts if STATE not in part.parts and part.name not in left_out]
        for part in [*model, Path(LINEAGE)]:
            with self._model.write(part.as_posix()) as out, (folder / part).open("rb") as source:
                shutil.copyfileobj(source, out)
        self._model.drop_partial()

    def _has_own_card(self) -> bool:
        """Whether the model's card was written by its users."""
        return self._model.exists(CARD) and is_edited(self._model.read(CARD).decode(errors="replace"))

    @contextmanager
    def _workplace(self, name: str) -> Iterator[Path]:
        """An empty local folder: the checkpoint itself, if it is to be local."""
        if self._model.is_local:
            target = self._folder.folder(name)
            target.make()
            with target.local() as folder:
                yield folder
            return
        with tempfile.TemporaryDirectory() as copy:
            yield Path(copy)

    def fetched(self, step: int) -> AbstractContextManager[Path]:
        """The checkpoint of a step as a local folder, not to be written to."""
        return self._folder.folder(_name(step)).local()

    def prune(self, last: int, best: str) -> None:
        """Removes checkpoints that need not stay, and halves of any.

        Args:
            last: newest checkpoints that stay.
            best: a key of the records; the checkpoint with the least value of it stays too.
        """
        records = self.records()
        scored = [step for step, record in records.items() if record.get(best) is not None]
        keep = {*list(records)[-last:], *sorted(scored, key=lambda step: records[step][best])[:1]}
        for step in records.keys() - keep:
            self._folder.remove(f"{_name(step)}/{COMPLETE}")  # first, so that half of one is never picked up
        whole = {_name(step) for step in keep}
        for name in self._folder.entries():
            if name not in whole:
                self._folder.remove_folder(name)


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _sync(folder: Path) -> None:
    """Brings the files to the disk before something says that they are there."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
