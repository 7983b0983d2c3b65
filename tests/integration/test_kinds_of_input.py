"""Kinds of input come out as the table in the documentation says."""

from pathlib import Path

import pytest

from tests.fixtures.kinds import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "inputs.md"
HEADER = "| made by | as | images | |"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.make.__name__)
def test_kind_becomes_what_the_table_says(kind, tmp_path):
    becomes, message = kind.outcome(tmp_path)
    assert becomes == kind.becomes, message
    assert kind.says.strip("`") in message


def test_the_page_has_these_kinds_and_no_others():
    _, _, rest = PAGE.read_text().partition(HEADER + "\n")
    rows = rest.partition("\n\n")[0].splitlines()[1:]
    wanted = [kind.line for kind in KINDS]
    assert sorted(rows) == sorted(wanted), "as the page has to have it:\n" + "\n".join(wanted)
