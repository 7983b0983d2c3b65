"""Where an attempt stands, and which rows it leaves out or takes alone."""

from collections.abc import Iterator
from itertools import islice

import pytest

from face0.runtime.interruption import Interrupted, interruption
from face0.tasks.attempt import Attempt, Journal, Position, SetAside


def batches(rows: Iterator[str]) -> Iterator[str]:
    """Rows together, up to three; their outcome tells with which they were."""
    while batch := list(islice(rows, 3)):
        yield from ["".join(batch)] * len(batch)


def outcomes(attempt: Attempt, rows: str = "abcdefgh") -> list[str]:
    return list(attempt.outcomes(rows, batches, lambda row, aside: f"<{row or 'rest'} {aside.reason}>"))


def aside(number: int, rest: bool = False) -> dict[int, SetAside]:
    return {number: SetAside(number=number, reason="why", message="", rest=rest)}


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (Attempt(), "abc abc abc def def def gh gh"),
        (Attempt(alone=(range(1, 3),)), "a b c def def def gh gh"),
        (Attempt(alone=(range(7, 20),)), "abc abc abc def def def g h"),
        (Attempt(alone=(range(0, 1), range(3, 4))), "a bc bc d efg efg efg h"),
        (Attempt(probe=range(2, 4)), "c d"),
        (Attempt(probe=range(7, 20)), "h"),
        (Attempt(probe=range(20, 30)), ""),
    ],
)
def test_rows_go_together_but_for_those_that_are_taken_alone(attempt, expected):
    assert " ".join(outcomes(attempt)) == expected


def test_a_row_that_is_set_aside_fails_in_its_place():
    assert outcomes(Attempt(set_aside=aside(1)), "abc") == ["a<b why>c"] * 3


def test_an_input_is_not_read_on_from_where_it_is_set_aside():
    def rows() -> Iterator[str]:
        yield "a"
        raise AssertionError("read on")

    attempt = Attempt(set_aside=aside(1, rest=True))
    assert list(attempt.outcomes(rows(), batches, lambda row, _: f"<{row or 'rest'}>")) == ["a<rest>"] * 2


def test_the_journal_says_to_another_process_which_rows_are_under_way(tmp_path):
    journal = Journal.create(tmp_path / "journal")
    theirs = Journal(tmp_path / "journal")
    seen: list[Position] = []

    def rows() -> Iterator[str]:
        for row in "abcd":
            seen.append(journal.position)
            yield row

    walk = Attempt(journal=theirs).outcomes(rows(), batches, lambda *_: "")
    next(walk)
    assert seen == [Position(drawn=i, reading=True) for i in range(3)]
    assert journal.position == Position(drawn=3)
    assert journal.position.culprit is None
    assert journal.position.suspects == range(4)
    next(walk)
    assert journal.position == Position(drawn=3, done=1)
    list(walk)
    assert journal.position == Position(drawn=4, done=4, ended=True)


@pytest.mark.parametrize(
    ("position", "culprit"),
    [
        (Position(drawn=5, done=4), 4),
        (Position(drawn=4, done=4, reading=True), 4),
        (Position(drawn=5, done=4, reading=True), None),
        (Position(drawn=6, done=4), None),
        (Position(drawn=4, done=4), None),
    ],
)
def test_a_row_is_known_where_nothing_else_was_under_way(position, culprit):
    assert position.culprit == culprit


def test_a_stop_ends_an_attempt_between_two_rows():
    walk = Attempt().outcomes("abcdefgh", batches, lambda *_: "")
    with interruption.on_signals():
        next(walk)
        interruption.request()
        with pytest.raises(Interrupted):
            next(walk)
