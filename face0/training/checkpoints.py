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

from fsspec.implementations.local import LocalFileSystem
from safetensors import SafetensorError

from face0.errors import TrainingError
from face0.io import storage
from face0.model.lineage import LINEAGE

COMPLETE = "complete.json"
STATE = "training_state"  # the folder in a checkpoint that only training needs


class Checkpoints:
    """The checkpoints under ``uri``."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._fs, path = storage.filesystem(uri)
        self._root = path.rstrip("/")
        self._folder = f"{self._root}/checkpoints"
        self._is_local = isinstance(self._fs, LocalFileSystem)

    def records(self) -> dict[int, dict[str, Any]]:
        """What ``complete.json`` says of each whole checkpoint, by its step, oldest first."""
        self._fs.invalidate_cache()
        if not self._fs.isdir(self._folder):
            return {}
        found = {}
        for path in sorted(self._fs.ls(self._folder, detail=False)):
            if self._fs.exists(f"{path}/{COMPLETE}"):
                record = json.loads(self._fs.cat_file(f"{path}/{COMPLETE}"))
                found[int(record["step"])] = record
        return found

    def save(self, step: int, write: Callable[[Path], None], record: Mapping[str, Any]) -> None:
        """Saves what ``write`` puts into an empty local folder, and makes it the newest.

        Args:
            step: names the checkpoint.
            write: writes a diffusers folder, ``lineage.json`` and ``training_state/``.
            record: goes into ``complete.json``.

        Raises:
            TrainingError: it could not be written; earlier checkpoints are as they were.
        """
        target = self._name(step)
        try:
            self._remove(target)  # half of one, of a run that was killed
            with self._workplace(target) as folder:
                write(folder)
                if self._is_local:
                    _sync(folder)
                else:
                    self._fs.put(f"{folder}/", f"{target}/", recursive=True)
                with storage.write_whole(self._uri, f"checkpoints/{Path(target).name}/{COMPLETE}") as file:
                    file.write(json.dumps({"step": step, **record}).encode())
                self._publish(folder)
        except (OSError, SafetensorError) as error:
            if step not in self.records():
                self._remove(target)
            raise TrainingError(f"step {step:,} could not be saved in {self._uri}: {error}") from error

    def publish(self, step: int) -> None:
        """Makes a checkpoint the newest, unless it is: ``MODEL/`` gets its files, ``lineage.json`` last."""
        lineage = f"{self._root}/{LINEAGE}"
        if not self._fs.exists(lineage) or json.loads(self._fs.cat_file(lineage))["step"] != step:
            with self.fetched(step) as folder:
                self._publish(folder)

    def _publish(self, folder: Path) -> None:
        lineage = f"{self._root}/{LINEAGE}"
        if self._fs.exists(lineage):
            self._fs.rm_file(lineage)  # a folder without it is between two models
        parts = [file.relative_to(folder) for file in sorted(folder.rglob("*")) if file.is_file()]
        model = [part for part in parts if STATE not in part.parts and part.name not in (COMPLETE, LINEAGE)]
        for part in [*model, Path(LINEAGE)]:
            with storage.write_whole(self._uri, part.as_posix()) as out, (folder / part).open("rb") as source:
                shutil.copyfileobj(source, out)
        storage.drop_partial(self._uri)

    @contextmanager
    def _workplace(self, target: str) -> Iterator[Path]:
        """An empty local folder: the target itself, if that is local."""
        if self._is_local:
            Path(target).mkdir(parents=True)
            yield Path(target)
            return
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)

    def fetched(self, step: int) -> AbstractContextManager[Path]:
        """A checkpoint as a local folder, not to be written to."""
        return storage.local_folder(storage.join(self._uri, "checkpoints", f"step-{step:08d}"))

    @staticmethod
    def lineage(folder: Path) -> dict[str, Any]:
        """What the model in a local folder was made of."""
        record: dict[str, Any] = json.loads((folder / LINEAGE).read_text())
        return record

    def prune(self, last: int, best: str) -> None:
        """Removes all but the newest ``last`` and the one whose record has the least ``best``, and halves of any."""
        records = self.records()
        scored = [step for step, record in records.items() if record.get(best) is not None]
        keep = {*list(records)[-last:], *sorted(scored, key=lambda step: records[step][best])[:1]}
        for step in records.keys() - keep:
            self._fs.rm_file(f"{self._name(step)}/{COMPLETE}")  # first, so that half of one is never picked up
        whole = {Path(self._name(step)).name for step in keep}
        for path in self._fs.ls(self._folder, detail=False):
            if Path(path).name not in whole:
                self._remove(path)

    def _name(self, step: int) -> str:
        return f"{self._folder}/step-{step:08d}"

    def _remove(self, path: str) -> None:
        if self._fs.exists(path):
            self._fs.rm(path, recursive=True)


def _sync(folder: Path) -> None:
    """Brings the files to the disk before something says that they are there."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
