"""Conditions on the columns of an input, as ``aesthetic >= 5.5 and punsafe < 0.5``: which of its rows are wanted.

Comparisons (``== != < <= > >=``, ``in``, ``not in``) of columns with numbers, texts or each other, joined by ``and``,
``or``, ``not`` and parentheses. As in SQL a value that is missing makes a comparison neither true nor false, and a row
is wanted where the whole is true; ``name is None`` asks for it. Names that are no words stand in backticks.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from face0.errors import UsageError
from face0.readers.further_columns import Value, truth_of

_Row = Mapping[str, Value]
_Truth = Callable[[_Row], bool | None]
_Term = Callable[[_Row], Value]

_COMPARISONS: dict[type[ast.cmpop], Callable[[float | str, float | str], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_MAX_CHARS = 10_000


@dataclass(frozen=True)
class Condition:
    """A condition that a row meets or not.

    Attributes:
        text: as it was given.
        columns: that it names.
    """

    text: str
    columns: tuple[str, ...] = field(init=False)
    _meets: _Truth = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            if len(self.text) > _MAX_CHARS:
                raise _Wrong(f"it has {len(self.text):,} characters; the limit is {_MAX_CHARS:,}")
            expression = _parsed(self.text.replace("\n", " ").strip())
            meets = _truth(expression)
        except (_Wrong, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            why = error if isinstance(error, _Wrong) else "it does not read as a condition"
            raise UsageError(
                f"--where {self.text[:200]!r}: {why}. Compare columns with numbers and quoted texts by == != < <= > >= "
                "in, or is None, joined by and, or, not: "
                "\"aesthetic >= 5.5 and language in ('en', 'de') and `my-score` == 1\""
            ) from error
        names = dict.fromkeys(node.id for node in ast.walk(expression) if isinstance(node, ast.Name))
        object.__setattr__(self, "columns", tuple(names))
        object.__setattr__(self, "_meets", meets)

    def __reduce__(self) -> tuple[type["Condition"], tuple[str]]:
        """Goes to a worker process as its text."""
        return type(self), (self.text,)

    def is_met(self, row: _Row) -> bool:
        """Whether a row is wanted, by the values of its columns; one that it lacks is missing."""
        return self._meets(row) is True


class _Wrong(Exception):
    """What is wrong with a condition, in words."""


_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`([^`]+)`""")


def _parsed(text: str) -> ast.expr:
    """The expression, in which names between backticks are columns too: those with spaces, or of words of Python."""
    odd: dict[str, str] = {}

    def plain_name(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]  # a text
        name = f"column_{len(odd)}_in_backticks"
        odd[name] = match[1]
        return f" {name} "

    expression = ast.parse(_QUOTED.sub(plain_name, text).strip(), mode="eval").body
    for node in ast.walk(expression):
        if isinstance(node, ast.Name):
            node.id = odd.get(node.id, node.id)
    return expression


def _truth(node: ast.expr) -> _Truth:
    match node:
        case ast.BoolOp(op=ast.And()):
            return _all([_truth(value) for value in node.values], whole=True)
        case ast.BoolOp():
            return _all([_truth(value) for value in node.values], whole=False)
        case ast.UnaryOp(op=ast.Not()):
            return _not(_truth(node.operand))
        case ast.Compare():
            terms = [node.left, *node.comparators]
            steps = [_step(op, *pair) for op, *pair in zip(node.ops, terms, terms[1:], strict=False)]
            return steps[0] if len(steps) == 1 else _all(steps, whole=True)
        case ast.Name():
            return _of_column(node.id)
    raise _Wrong(f"{_words(node)} is no comparison")


def _all(parts: list[_Truth], *, whole: bool) -> _Truth:
    """``and`` (whole is True) or ``or`` of truths, of which one may be unknown."""

    def meets(row: _Row) -> bool | None:
        truth: bool | None = whole
        for part in parts:
            value = part(row)
            if value is (not whole):
                return value
            truth = truth if value is whole else None
        return truth

    return meets


def _not(part: _Truth) -> _Truth:
    def meets(row: _Row) -> bool | None:
        value = part(row)
        return None if value is None else not value

    return meets


def _of_column(name: str) -> _Truth:
    """A column that is true or false by itself."""

    def meets(row: _Row) -> bool | None:
        value = row.get(name)
        if isinstance(value, str):
            return truth_of(value)
        return None if value is None else bool(value)

    return meets


def _step(op: ast.cmpop, left: ast.expr, right: ast.expr) -> _Truth:
    """One comparison."""
    if isinstance(op, ast.In | ast.NotIn):
        if not isinstance(right, ast.Tuple | ast.List):
            raise _Wrong(f"{_words(right)} is no list of values")
        alternatives = _all([_step(ast.Eq(), left, value) for value in right.elts], whole=False)
        return alternatives if isinstance(op, ast.In) else _not(alternatives)
    if isinstance(op, ast.Is | ast.IsNot):
        if not (isinstance(right, ast.Constant) and right.value is None):
            raise _Wrong(f"only None can follow 'is', not {_words(right)}")
        term, missing = _term(left), isinstance(op, ast.Is)
        return lambda row: (term(row) is None) is missing
    compare, one, other = _COMPARISONS[type(op)], _term(left), _term(right)

    def meets(row: _Row) -> bool | None:
        pair = _alike(one(row), other(row))
        return None if pair is None else compare(*pair)

    return meets


def _alike(one: Value, other: Value) -> tuple[float | str, float | str] | None:
    """Two values as numbers where one of them is one, else as texts; None where one is missing, or no number."""
    if one is None or other is None:
        return None
    if isinstance(one, str) and isinstance(other, str):
        return one, other
    try:
        pair = _number(one), _number(other)
    except ValueError:
        return None
    return None if any(map(math.isnan, pair)) else pair


def _number(value: float | str) -> float:
    """A number as it is, and a text as the number that it stands for. Raises ValueError."""
    if not isinstance(value, str):
        return value
    return int(value) if value.strip().isdecimal() else float(value)


def _term(node: ast.expr) -> _Term:
    match node:
        case ast.Name():
            name = node.id
            return lambda row: row.get(name)
        case ast.Constant(value=bool() | int() | float() | str() as constant):
            return lambda _: constant
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=ast.Constant(value=int() | float() as number)):
            signed = -number if isinstance(sign, ast.USub) else number
            return lambda _: signed
    raise _Wrong(f"{_words(node)} is neither a column nor a number or a text")


def _words(node: ast.expr) -> str:
    return repr(ast.unparse(node))[:100]
