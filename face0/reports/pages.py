"""Pages from the templates of this package: each one file that needs no server, no network and no other software.

Every text that goes into a template is escaped on its way in, so that prompts and file names cannot become markup.
"""

import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from face0.io.folder import Folder
from face0.io.secrets import public_text
from face0.reports import formats

PAGE = "report.html"
# Characters that no HTML may hold: controls and surrogates
_NO_HTML = re.compile("[\\x00-\\x08\\x0b\\x0e-\\x1f\\x7f-\\x9f\\ud800-\\udfff\\ufdd0-\\ufdef\\ufffe\\uffff]")


def render(template: str, **values: Any) -> Markup:
    """The markup of a template, to go into another.

    Args:
        template: its path in ``templates/``.
        values: that it names; one that is missing is an error.
    """
    return Markup(_ENVIRONMENT.get_template(template).render(values))


def write_page(
    folder: Folder, title: str, sections: Iterable[Markup], template: str = "page.html", **values: Any
) -> None:
    """Writes a page, whole or not at all, in pieces as they are made.

    Args:
        folder: where it lies, as PAGE.
        title: plain text, the heading too.
        sections: from the top; may be made one by one.
        template: that extends ``page.html``, or itself.
        values: that it names beside these.
    """
    stream = _ENVIRONMENT.get_template(template).stream(title=title, sections=sections, **values)
    stream.enable_buffering()
    with folder.write(PAGE) as file:
        for part in stream:
            file.write(part.encode())


def dumps_for_script(value: Any) -> Markup:
    """Compact JSON that can stand within a script element, whatever is in its texts.

    Raises:
        ValueError: a number is NaN or infinite, which JSON does not have.
    """
    return htmlsafe_json_dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def asset(name: str) -> Markup:
    """The text of a style or script of this package."""
    return Markup(files(__package__).joinpath("web", name).read_text(encoding="utf-8"))


def _shown(value: Any) -> Any:
    """A value as it stands in a page: nothing for None, and URIs in texts without passwords and signatures."""
    if value is None:
        return ""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _NO_HTML.sub("\N{REPLACEMENT CHARACTER}", public_text(value))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(asset=asset, interval=formats.interval, count_of=formats.count_of)
    environment.filters.update(
        number=formats.number,
        percent=formats.percent,
        script_json=dumps_for_script,
        sentence=formats.sentence,
        thousands=formats.thousands,
        value=formats.value,
    )
    return environment


_ENVIRONMENT = _environment()
