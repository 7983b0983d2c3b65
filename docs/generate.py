"""Makes the pages that no one writes: a hook of MkDocs, which calls ``on_files`` as it collects the pages of a build.

Command lines come from the parsers, schemas from the Arrow schemas and the comments beside their fields, the API from
docstrings, the rest from files that lie elsewhere in the repository. A page that is not in mkdocs.yml ends the build.
"""

import argparse
import ast
import html
import importlib
import inspect
import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from types import ModuleType

import griffe
import pyarrow as pa
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from jobs.main import JOBS
from schemas import face_bank, face_shard, failures, measures, requests
from schemas.description import comments, field_comments, flat_fields, sentence, type_name

ROOT = Path(__file__).parent.parent
ELSEWHERE = {  # pages that are files of the repository
    "contributing/index.md": "CONTRIBUTING.md",
    "contributing/changelog.md": "CHANGELOG.md",
    "results/pace.md": "benchmarks/RESULTS.md",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages to those of ``docs/``."""
    for path, text in pages():
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> Iterator[tuple[str, str]]:
    """Path and Markdown of each generated page."""
    for name, module in JOBS.items():
        yield f"reference/cli/{name}.md", command_page(name, importlib.import_module(module))
    for package in sorted(ROOT.glob("face0/*/__init__.py")):
        name = package.parent.name
        yield f"reference/api/{name}.md", f"# face0.{name}\n\n::: face0.{name}\n"
    yield "reference/schemas/face-shard.md", schema_page("face_shard", "A row of a face shard", face_shard)
    yield "reference/schemas/face-bank.md", schema_page("face_bank", "A row of a face bank", face_bank)
    yield "reference/schemas/manifest.md", schema_page("MANIFEST", "A row of a manifest", requests)
    yield "reference/schemas/requests.md", schema_page("REQUESTS", "A row of the requests", requests)
    yield "reference/schemas/results.md", schema_page("RESULTS", "A row of the results", requests)
    page = schema_page("MEASURES", "A row of the measures", measures)
    yield "reference/schemas/measures.md", f"{page}\n## Reasons\n\n{unmeasured()}"
    yield "reference/reasons.md", reasons_page()
    for page, path in ELSEWHERE.items():
        yield page, moved(path, page)
    for notebook in sorted(ROOT.glob("docs/tutorials/*.ipynb")):
        yield f"tutorials/{notebook.stem}.md", notebook_page(notebook)


# Command lines


def command_page(name: str, module: ModuleType) -> str:
    """The page of a job: what its module says, and a table for each group of options."""
    parts = [f"# face0 {name}", prose(inspect.cleandoc(module.__doc__ or "")), *options(module.arguments(), level=2)]
    return "\n\n".join(parts) + "\n"


def prose(text: str) -> str:
    """A module's docstring as Markdown: indented commands become a block of code."""
    parts = []
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("  "):
            parts.append(f"```sh\n{textwrap.dedent(paragraph)}\n```")
        elif paragraph.startswith("exit codes:"):
            parts.append(f"[Exit codes](../exit-codes.md):{escaped(paragraph.removeprefix('exit codes:'))}")
        else:
            parts.append(escaped(paragraph))
    return "\n\n".join(parts)


def options(parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    """The tables of a parser's options, and those of its sub-commands. argparse has no public way to list them."""
    alternatives = {action: group for group in parser._mutually_exclusive_groups for action in group._group_actions}
    for group in parser._action_groups:
        rows = []
        for action in group._group_actions:
            if isinstance(action, argparse._SubParsersAction):
                helps = {choice.dest: choice.help for choice in action._choices_actions}
                for name, sub in action.choices.items():
                    yield f"{'#' * level} {sub.prog}"
                    yield escaped(helps.get(name) or "").capitalize()
                    yield from options(sub, level + 1)
            elif not isinstance(action, argparse._HelpAction):
                rows.append((spelled(action), meaning(action, parser, alternatives.get(action))))
        if rows:
            yield f"{'#' * level} {(group.title or 'options').capitalize()}"
            yield table(("option", "meaning"), rows)


def spelled(action: argparse.Action) -> str:
    """An option as it is typed."""
    choices = f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper()
    value = action.metavar or choices
    if not action.option_strings:
        return f"`{value}`"
    names = ", ".join(action.option_strings)
    return f"`{names}`" if action.nargs == 0 else f"`{names} {value}`"


def meaning(
    action: argparse.Action, parser: argparse.ArgumentParser, group: argparse._MutuallyExclusiveGroup | None
) -> str:
    """An option's help, with whether it must be there."""
    text = (action.help or "") % {**vars(action), "prog": parser.prog}
    if group is not None:
        others = ", ".join(spelled(other) for other in group._group_actions)
        must = f"One of {others}{' is needed' if group.required else ''}."
    else:
        must = "Needed." if action.required else ""
    return " ".join(part for part in (sentence(escaped(text)), must) if part)


# Notebooks


def notebook_page(notebook: Path) -> str:
    """The page of a notebook: its text, and its code as blocks, commands by themselves."""
    parts = []
    for cell in json.loads(notebook.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        is_shell = all(line.startswith("!") for line in source.replace("\\\n", "").splitlines())
        text = re.sub(r"^!", "", source, flags=re.MULTILINE) if is_shell else source
        parts.append(f"```{'sh' if is_shell else 'python'}\n{text}\n```")
    title, rest = parts[0].split("\n\n", 1)
    where = f"This page is a notebook: [{notebook.name}]({notebook.name}), which a test runs as it stands."
    return "\n\n".join([title, where, rest, *parts[1:]]) + "\n"


# Schemas


def schema_page(name: str, title: str, module: ModuleType) -> str:
    """The page of a Parquet file's schema: ``name`` is that of the schema, or of the function that makes it."""
    schema = getattr(module, name)
    parts = [f"# {title}", escaped(inspect.cleandoc(module.__doc__ or ""))]
    if not isinstance(schema, pa.Schema):
        parts.append("`N` is the length of a vector, which depends on the embedder.")
        schema = schema(LENGTH)
    said = field_comments(inspect.getsource(module), name)
    rows = [
        (
            f"`{path}`",
            f"`{type_name(field.type).replace(str(LENGTH), 'N')}`",
            "yes" if field.nullable else "",
            escaped(said.get(field.name, "")),
        )
        for path, field in flat_fields(schema)
    ]
    parts.append(table(("field", "type", "may be null", "what it is"), rows))
    metadata = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    entries = ", ".join(f"`{key}`: `{value.replace(str(LENGTH), 'N')}`" for key, value in metadata.items())
    parts.append(f"The file's metadata begins with {entries}.")
    parts.append(f"In code: `schemas/{module.__name__.rpartition('.')[2]}.py`.")
    return "\n\n".join(parts) + "\n"


LENGTH = 987_654_321  # a length that no field has by itself; shown as N


def reasons_page() -> str:
    """The page of the failures' reasons: comments between them are heads, the texts under them say what they are."""
    reasons = griffe.load("schemas.failures", search_paths=[ROOT])["Reason"].attributes.values()
    heads, _ = comments(inspect.getsource(failures))
    parts = ["# Reasons", REASONS]
    for head, members in groupby(reasons, lambda member: max(line for line in heads if line < member.lineno)):
        rows = [(f"`{ast.literal_eval(str(member.value))}`", escaped(member.docstring.value)) for member in members]
        parts += [f"## {heads[head]}", table(("reason", "what it says"), rows)]
    return "\n\n".join(parts) + "\n"


def unmeasured() -> str:
    """The closed list of why a measure has no value."""
    return "".join(f"- {escaped(reason)}\n" for reason in measures.Unmeasured)


REASONS = """A row that cannot be used is a row of `failures/<task>.parquet`: `key`, `source` (URI of the container
or of the image, `#member` appended for a part of a container), `stage`, `reason`, and `message`, a sentence for a
person. The reasons are a closed list of stable codes: scripts may rely on them, and `--retry-failed REASON`
[runs those rows again](../how-to/resume-and-retry.md). They are listed by the stage at which they mostly come up."""


# Files that lie elsewhere


def moved(path: str, page: str) -> str:
    """A Markdown file of the repository as a page, its links to other pages as they are from there."""
    up = "../" * page.count("/")
    text = (ROOT / path).read_text()
    for target, source in ELSEWHERE.items():
        text = text.replace(f"]({source}", f"]({up}{target}")
    return re.sub(r"\]\((?:\.\./)?docs/", f"]({up}", text)


# Markdown


def escaped(text: str) -> str:
    """Plain text as Markdown, but for code between back-ticks."""
    return "".join(
        part if part.startswith("`") else re.sub(r"([*_\[\]{}\\])", r"\\\1", html.escape(part, quote=False))
        for part in re.split(r"(`+[^`]+`+)", text)
    )


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    cells = ([re.sub(r"\|(?=[^`]*(?:`[^`]*`[^`]*)*$)", r"\|", cell.replace("\n", " ")) for cell in row] for row in rows)
    lines = [head, ("---",) * len(head), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
