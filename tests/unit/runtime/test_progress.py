"""Progress: in place on a terminal, lines elsewhere, nothing unless it is asked for."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from face0.runtime import progress
from face0.runtime.progress import ProgressBar, show_progress, tracked
from tests.fixtures.terminal import run_in_terminal, screen

ROOT = Path(__file__).parent.parent.parent.parent
# Two bars, with what is logged and printed in between; `seconds` is how long an item takes.
PROGRAM = """
import logging, sys, time
from contextlib import redirect_stderr, redirect_stdout
from face0.io.secrets import PublicStream
from face0.runtime import progress
progress.PATIENCE = 0.1
out, err = (progress.AroundBars(PublicStream(stream)) for stream in (sys.stdout, sys.stderr))
with redirect_stdout(out), redirect_stderr(err), progress.show_progress():
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for i in progress.tracked(range(9), "shards opened"):
        time.sleep(0.15)
        if i == 7:
            logging.warning("a warning")
            print("half a line", end="", file=sys.stderr)
            print(" and its end", file=sys.stderr)
            print("a result")
    with progress.ProgressBar(total=3, unit="faces") as bar:
        for i in range(3):
            bar.failed = i
            bar.update()
    print("done")
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_whole_lines_and_not_one_for_each_item() -> None:
    log = io.StringIO()
    assert list(ProgressBar(iter(range(2000)), total=2000, unit="faces", file=log)) == list(range(2000))
    first, last = log.getvalue().splitlines()
    assert first.startswith("0/2,000 faces")
    assert re.fullmatch(r"2,000/2,000 faces, [\d,.]+/s, 00:00 left", last)
    assert "\r" not in log.getvalue()


def test_a_line_says_what_is_done_and_what_it_came_to() -> None:
    log = io.StringIO()
    with ProgressBar(total=3000, unit="tasks", file=log) as bar:
        bar.mininterval = 0  # seconds between lines
        for rows in (70, 140):
            bar.rows, bar.failed = rows, rows // 140
            bar.set_postfix_str("loss 0.5", refresh=False)
            bar.update(1500)
    lines = log.getvalue().splitlines()
    assert re.match(r"1,500/3,000 tasks, loss 0.5, 70 rows, [\d,.]+ rows/s, 00:0", lines[1])
    for line in lines[2:]:
        assert re.fullmatch(r"3,000/3,000 tasks, loss 0.5, 140 rows, [\d,.]+ rows/s, 1 failed, 00:00 left", line)


def test_a_terminal_gets_one_line_in_place() -> None:
    terminal = Terminal()
    list(ProgressBar(range(5), total=5, unit="faces", file=terminal))
    assert terminal.getvalue().count("\n") == 1
    assert terminal.getvalue().endswith("\n")
    assert "5/5 faces" in terminal.getvalue().rsplit("\r", 1)[1]


def test_the_library_is_silent_unless_progress_is_asked_for(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0)
    assert list(tracked(iter("ab"), "letters")) == ["a", "b"]
    with ProgressBar(total=1, unit="letters") as bar:
        bar.update()
    assert capsys.readouterr() == ("", "")
    with show_progress():
        assert list(tracked("ab", "letters")) == ["a", "b"]
    assert "2/2 letters" in capsys.readouterr().err
    assert list(tracked("ab", "letters")) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def test_work_that_is_short_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress():
        list(tracked(range(5), "shards"))
    assert capsys.readouterr() == ("", "")


def test_items_of_an_unknown_number_are_counted() -> None:
    log = io.StringIO()
    with ProgressBar(total=None, unit="files", file=log) as bar:
        bar.update(1200)
    assert re.fullmatch(r"1,200 files, [\d,.]+/s", log.getvalue().splitlines()[-1])


def test_what_was_done_before_counts_but_not_as_pace() -> None:
    log = io.StringIO()
    with ProgressBar(total=1000, unit="steps", file=log, done=999) as bar:
        assert "/s" not in str(bar)
        bar.update()
    assert log.getvalue().splitlines()[-1].startswith("1,000/1,000 steps, ")


@pytest.mark.parametrize("columns", [0, 30, 100])
def test_lines_between_are_whole_and_no_bar_is_left_unfinished(columns: int) -> None:
    code, written = run_in_terminal([sys.executable, "-c", PROGRAM], columns=columns, env=environment())
    assert code == 0
    assert "shards opened" in written
    *lines, bar, done, last = screen(written)
    assert lines == ["a warning", "half a line and its end", "a result"]
    assert bar.startswith("100%|")
    assert "3/3 faces" in bar
    assert (done, last) == ("done", "")


def test_a_pipe_gets_whole_lines() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment(), check=True)
    assert run.stdout == "a result\ndone\n"
    assert "\r" not in run.stderr
    assert [line.split(",")[0] for line in run.stderr.splitlines()] == [
        "a warning",
        "half a line and its end",
        "0/3 faces",
        "3/3 faces",
    ]


def test_work_goes_on_where_nothing_can_be_written() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    assert list(ProgressBar("ab", total=2, unit="letters", file=Full())) == ["a", "b"]


def test_a_job_whose_standard_error_is_closed_ends_as_ever() -> None:
    command = f"{sys.executable} -m jobs.main trace nobody --in /nowhere 2>&-"
    run = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment(), check=False)
    assert (run.returncode, run.stdout, run.stderr) == (2, "", "")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
