"""Schemas in words: fields with their types, and what the comments beside them say, for pages and data cards."""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from itertools import takewhile

import pyarrow as pa


def flat_fields(fields: Iterable[pa.Field], prefix: str = "") -> Iterator[tuple[str, pa.Field]]:
    """Fields with their paths, those inside lists of structs after them."""
    for field in fields:
        yield prefix + field.name, field
        if pa.types.is_list(field.type) and pa.types.is_struct(field.type.value_type):
            yield from flat_fields(field.type.value_type, f"{prefix}{field.name}[].")


def type_name(kind: pa.DataType) -> str:
    """A type in words: ``list<struct>`` for a list of structs, whose fields have paths of their own."""
    if pa.types.is_fixed_size_list(kind):
        return f"{type_name(kind.value_type)}[{kind.list_size}]"
    if pa.types.is_list(kind):
        return f"list<{type_name(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return "struct"
    return {"float": "float32", "halffloat": "float16"}.get(str(kind), str(kind))


def field_comments(source: str, name: str) -> dict[str, str]:
    """Parses what comments say of the fields of a schema: sentences, by the fields' names.

    The comment of a ``pa.field(...)`` is at its end, or in the lines directly above it. A schema may take fields
    from elsewhere in its module; where two fields have one name, the schema's own counts.

    Args:
        source: of the module.
        name: of the schema, or of the function that makes it.
    """
    above, after = comments(source)
    elsewhere: dict[str, str] = {}
    own: dict[str, str] = {}
    for statement in ast.parse(source).body:
        here = own if name in _defined(statement) else elsewhere
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pa.field":
                field = ast.unparse(node.args[0]).strip("'")
                lines = takewhile(above.__contains__, range(node.lineno - 1, 0, -1))
                before = " ".join(above[line] for line in reversed(list(lines)))
                texts = sentence(before), sentence(after.get(node.end_lineno or 0, ""))
                here[field] = " ".join(text for text in texts if text)
    return {**elsewhere, **own}


def comments(source: str) -> tuple[dict[int, str], dict[int, str]]:
    """The comments of a module by their lines: those that have a line to themselves, and those behind code."""
    alone: dict[int, str] = {}
    behind: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            where = alone if token.line.strip() == token.string else behind
            where[token.start[0]] = token.string.removeprefix("#").strip()
    return alone, behind


def sentence(text: str) -> str:
    """Text with a full stop."""
    return text if not text or text.endswith((".", "?", "!")) else text + "."


def _defined(statement: ast.stmt) -> set[str]:
    """Names that a statement of a module gives a value."""
    if isinstance(statement, ast.FunctionDef):
        return {statement.name}
    return {target.id for target in getattr(statement, "targets", []) if isinstance(target, ast.Name)}
