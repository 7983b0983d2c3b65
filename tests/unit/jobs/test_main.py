"""The command line: what its users see of the logs."""

import logging

import pytest

from jobs.main import log_to_stderr


def test_the_library_speaks_plainly_and_others_of_errors_only(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        log_to_stderr()
    library, other = logging.getLogger("face0.training.loop"), logging.getLogger("some.library")
    library.debug("details")
    library.info("step 1/8")
    library.warning("out is not finished")
    other.warning("pip install this")
    other.error("out of memory")
    assert capsys.readouterr() == ("", "step 1/8\nwarning: out is not finished\nerror: out of memory\n")
