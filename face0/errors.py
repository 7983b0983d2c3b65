"""Errors that jobs tell in one line: of a caller, and of a training."""


class UsageError(ValueError):
    """Wrong usage or configuration. Its message gives the value and the remedy; jobs exit with 2 on it."""


class TrainingError(Exception):
    """A training that cannot go on. The message says why; earlier checkpoints are whole."""
