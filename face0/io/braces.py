"""Brace patterns, as a shell and webdataset expand them: ``{a,b}`` and ``{000..099}``, within each other too."""

import re
from collections.abc import Iterator
from itertools import islice, product

from face0.errors import UsageError

MAX_NAMES = 1_000_000

_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?|([A-Za-z])\.\.([A-Za-z])")


def expand_braces(pattern: str) -> list[str]:
    """The names that a pattern stands for, in order; itself, if it has no braces that can be expanded.

    >>> expand_braces("a-{08..10}.{tar,zip}"), expand_braces("{a}b{")
    (['a-08.tar', 'a-08.zip', 'a-09.tar', 'a-09.zip', 'a-10.tar', 'a-10.zip'], ['{a}b{'])

    Raises:
        UsageError: they are more than MAX_NAMES, or the braces lie within each other too deep.
    """
    try:
        names = list(islice(_expand(pattern), MAX_NAMES + 1))
    except RecursionError as error:
        raise UsageError(f"{pattern[:80]}... has too many braces") from error
    if len(names) > MAX_NAMES:
        raise UsageError(f"{pattern} stands for more than {MAX_NAMES:,} names")
    return names


def _expand(text: str) -> Iterator[str]:
    pieces: list[list[str]] = []
    start = position = 0
    while (begin := text.find("{", position)) >= 0:
        end = _closing(text, begin)
        choices = None if end is None else _choices(text[begin + 1 : end])
        if end is None or choices is None:
            position = begin + 1
            continue
        pieces += [[text[start:begin]], choices]
        start = position = end + 1
    pieces.append([text[start:]])
    return ("".join(parts) for parts in product(*pieces))


def _closing(text: str, begin: int) -> int | None:
    """Where the brace that opens at ``begin`` is closed."""
    depth = 0
    for position in range(begin, len(text)):
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return position
    return None


def _choices(inner: str) -> list[str] | None:
    """What stands between braces; None: it is neither a list nor a range, and the braces are a part of the name."""
    if (match := _RANGE.fullmatch(inner)) is not None:
        return _range(match)
    parts, depth, start = [], 0, 0
    for position, character in enumerate(inner):
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            parts.append(inner[start:position])
            start = position + 1
    if not parts:
        return None
    names = [name for part in (*parts, inner[start:]) for name in islice(_expand(part), MAX_NAMES + 1)]
    return names[: MAX_NAMES + 1]


def _range(match: re.Match[str]) -> list[str] | None:
    first, last, step, letter, last_letter = match.groups()
    if letter:
        numbers = _between(ord(letter), ord(last_letter), 1)
        return [chr(number) for number in numbers]
    width = max(len(first), len(last)) if any(re.match(r"-?0\d", text) for text in (first, last)) else 0
    numbers = _between(int(first), int(last), abs(int(step or 1)) or 1)
    return [f"{number:0{width}d}" for number in islice(numbers, MAX_NAMES + 1)]


def _between(first: int, last: int, step: int) -> range:
    return range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
