"""Errors that jobs tell in one line: of a caller, and of a training."""


class UsageError(ValueError):
    """Wrong usage or configuration. Its message gives the value and the remedy; jobs exit with 2 on it."""


class TrainingError(Exception):
    """A training that cannot go on. The message says why; earlier checkpoints are whole."""


class StorageError(OSError):
    """Storage that fails, and went on to when it was asked again. The message names the file; jobs exit with 1 on it.

    What a format's library says of the bytes of a file is another matter, though it may be an OSError too.
    """
