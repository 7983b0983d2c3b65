"""What must be known of measures, in sentences that are said once with all arms or encoders that they hold for."""

from collections.abc import Iterable


def listed(names: Iterable[str]) -> str:
    """Names as a sentence has them: ``a, b and c``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def said_once(notes: Iterable[tuple[str, str]]) -> list[str]:
    """Notes that are the same but for whom they hold, as one each, in the order in which they come first.

    Args:
        notes: pairs of whom a note holds for, an arm or an encoder, or nothing; and of its sentence.
    """
    holders: dict[str, list[str]] = {}
    for name, sentence in notes:
        names = holders.setdefault(sentence, [])
        if name and name not in names:
            names.append(name)
    return [f"{listed(names)}: {sentence}" if names else sentence for sentence, names in holders.items()]
