"""Requests to stop."""

import os
import signal
import subprocess
import sys

import pytest

from face0.runtime import interruption as module
from face0.runtime.interruption import Interrupted, handled, interruption, raise_interrupted


def test_a_signal_asks_to_stop_and_the_next_says_at_once():
    told: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    with interruption.on_signals(told.append):
        interruption.check()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.requested
        assert not interruption.overdue
        with pytest.raises(Interrupted, match="stopped by SIGTERM") as stopped:
            interruption.check()
        assert stopped.value.signum == signal.SIGTERM
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.overdue
    assert told == [signal.SIGTERM, signal.SIGINT]
    assert not interruption.requested  # the next work of this process is not meant
    assert signal.getsignal(signal.SIGINT) is before


def test_the_time_to_end_well_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.0)
    with interruption.on_signals():
        interruption.request()
        assert interruption.overdue


def test_a_stop_is_no_error_that_somebody_mends():
    def mend() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Exception:
            pytest.fail("caught as an error")

    with handled(raise_interrupted), pytest.raises(Interrupted):
        mend()


def test_an_import_that_swallows_errors_does_not_swallow_a_stop(tmp_path):
    (tmp_path / "stops.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    (tmp_path / "optional.py").write_text("try:\n    import stops\nexcept BaseException:\n    stops = None\n")
    program = """
from face0.runtime.interruption import handled, raise_interrupted
with handled(lambda signum, frame: raise_interrupted(signum, frame, lambda signum: print("told", signum, flush=True))):
    import optional
print("went on")
"""
    path = os.pathsep.join([str(tmp_path), *sys.path])
    stopped = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert (stopped.returncode, stopped.stdout) == (143, "told 15\n")
