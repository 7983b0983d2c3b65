"""The options of the processes that do tasks."""

import argparse

from jobs.options.values import at_least


def add_workers(group: argparse._ArgumentGroup, row_timeout: str) -> None:
    """Adds the options; ``row_timeout`` says how long a row may take where the option is not given."""
    group.add_argument("--worker-processes", type=at_least(0), metavar="N",
        help="processes that do tasks beside each other on a machine; one that a row kills is replaced, and the row "
        "set aside (1, or what Beam's --direct_num_workers says); 0: none, for a debugger")  # fmt: skip
    group.add_argument("--row-timeout", type=at_least(1, float), metavar="S",
        help="seconds after which a worker process that gets no further is ended, and the row set aside "
        f"({row_timeout})")  # fmt: skip
