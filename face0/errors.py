"""Errors that jobs tell in one line: of a caller, and of a training."""

from typing import Any


class UsageError(ValueError):
    """Wrong usage or configuration. Its message gives the value and the remedy; jobs exit with 2 on it."""


class TrainingError(Exception):
    """A training that cannot go on. The message says why; earlier checkpoints are whole."""


class StorageError(OSError):
    """Storage that fails, and went on to when it was asked again. The message names the file; jobs exit with 1 on it.

    What a format's library says of the bytes of a file is another matter, though it may be an OSError too.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Keeps its number on its way out of a worker process: a full disk is met in another way than a lost line."""
        return type(self), self.args, {**self.__dict__, "errno": self.errno}
