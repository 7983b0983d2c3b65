"""The command line: what its users see of the logs."""

import errno
import logging
import os
import sys
from types import SimpleNamespace

import pytest

from jobs.main import log_to_stderr, main


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


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_storage_that_takes_no_more_is_told_of_in_a_line(monkeypatch, capsys, number):
    def run(_: object) -> int:
        raise OSError(number, os.strerror(number), "/out/stats")

    monkeypatch.setitem(sys.modules, "jobs.augment", SimpleNamespace(main=run))
    assert main(["augment"]) == 1
    assert capsys.readouterr().err == (
        f"face0 augment: nothing more can be written in /out/stats: {os.strerror(number)}; "
        "the same command goes on where it stood\n"
    )
