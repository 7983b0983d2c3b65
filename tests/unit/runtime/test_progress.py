"""Progress: in place on a terminal, lines elsewhere."""

import io

from face0.runtime.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_whole_lines_and_not_one_for_each_item() -> None:
    log = io.StringIO()
    assert list(ProgressBar(iter(range(2000)), total=2000, unit="faces", file=log)) == list(range(2000))
    first, last = log.getvalue().splitlines()
    assert first.startswith("0/2,000 faces")
    assert last == "2,000/2,000 faces, 00:00 left"
    assert "\r" not in log.getvalue()


def test_a_line_says_what_is_done_and_what_it_came_to() -> None:
    log = io.StringIO()
    with ProgressBar(total=3000, unit="tasks", file=log) as bar:
        bar.mininterval = 0  # seconds between lines
        for rows in (70, 140):
            bar.set_postfix_str(f"{rows} rows", refresh=False)
            bar.update(1500)
    lines = log.getvalue().splitlines()
    assert lines[1].startswith("1,500/3,000 tasks, 70 rows, 00:0")
    assert lines[2] == lines[3] == "3,000/3,000 tasks, 140 rows, 00:00 left"


def test_a_terminal_gets_one_line_in_place() -> None:
    terminal = Terminal()
    list(ProgressBar(range(5), total=5, unit="faces", file=terminal))
    assert terminal.getvalue().count("\n") == 1
    assert terminal.getvalue().endswith("\n")
    assert "5/5 faces" in terminal.getvalue().rsplit("\r", 1)[1]
