"""Notes are said once, whomever they hold for."""

from face0.evaluation.notes import said_once


def test_a_note_that_holds_for_several_is_said_once_with_all_of_them():
    notes = [("base", "no text."), ("", "Rough."), ("zero", "no text."), ("random", "few."), ("random", "no text.")]
    assert said_once(notes) == ["base, zero and random: no text.", "Rough.", "random: few."]


def test_whom_a_note_holds_for_is_named_once():
    assert said_once([("base", "no text."), ("base", "no text."), ("", "Rough."), ("", "Rough.")]) == [
        "base: no text.",
        "Rough.",
    ]
