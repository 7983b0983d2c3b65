"""Cards that were edited are known."""

import pytest

from face0.io.cards import is_edited, signed


@pytest.mark.parametrize("text", ["", "# A card\n", "no newline at its end", signed("a card within a card\n")])
def test_a_signed_card_is_not_edited(text: str) -> None:
    card = signed(text)
    assert card.startswith(text)
    assert not is_edited(card)


@pytest.mark.parametrize(
    "card",
    [
        "",
        "# Mine\n",
        signed("license: other\n").replace("other", "mit"),
        signed("a\n") + "more\n",
        signed("a\n").strip(),
    ],
)
def test_any_other_is(card: str) -> None:
    assert is_edited(card)
