"""Cards: the ``README.md`` of an output or a model, whose last line holds the digest of what stands above it.

So a card that somebody has edited is known: it is theirs, and is kept.
"""

import hashlib

CARD = "README.md"
_MARK = "<!-- Made by face0, and made anew with what it describes as long as nobody edits it. SHA-256: "


def signed(text: str) -> str:
    """A card of this text, with its digest at its end."""
    return f"{text}{_MARK}{hashlib.sha256(text.encode()).hexdigest()} -->\n"


def is_edited(card: str) -> bool:
    """Whether a card is not as it was signed."""
    return card != signed(card.rpartition(_MARK)[0])
