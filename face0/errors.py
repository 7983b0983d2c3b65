"""The error of a caller: wrong usage or configuration, told in one line with its remedy."""


class UsageError(ValueError):
    """Wrong usage or configuration. Its message gives the value and the remedy; jobs exit with 2 on it."""


class TrainingError(Exception):
    """A training that cannot go on. The message says why; earlier checkpoints are whole."""
