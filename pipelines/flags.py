"""Beam's flags on a command line that also has options of its own, told apart without importing Beam.

Importing Beam takes seconds, which nobody should wait for who asks for help or mistypes an option. So the names of
Beam's flags are read from its source, as text: only they and whether they take a value matter here. What the values
may be is Beam's to say, in ``pipelines.options``.
"""

import ast
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_OPTIONS = "options/pipeline_options.py"  # where apache_beam declares its flags, for argparse
_ALONE = ("store_true", "store_false", "store_const", "count")  # actions of flags that take no value


def split_flags(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Takes Beam's flags out of a command line.

    Returns:
        Beam's flags with their values, and the arguments that are not Beam's; each in order.
    """
    flags = beam_flags()
    beam: list[str] = []
    rest: list[str] = []
    arguments = iter(argv)
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if name not in flags:
            rest.append(argument)
            continue
        beam.append(argument)
        if flags[name] and not equals:
            beam += [value for value in [next(arguments, None)] if value is not None]
    return beam, rest


@cache
def beam_flags() -> Mapping[str, bool]:
    """The flags of the installed Beam, and whether each takes a value."""
    spec = find_spec("apache_beam")
    assert spec is not None, "apache-beam is a dependency"
    assert spec.submodule_search_locations
    tree = ast.parse(Path(spec.submodule_search_locations[0], _OPTIONS).read_text(encoding="utf-8"))
    flags: dict[str, bool] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in ("add_argument", "add_value_provider_argument"):
            names = [word.value for word in node.args if isinstance(word, ast.Constant)]
            action = next((word.value for word in node.keywords if word.arg == "action"), None)
            alone = isinstance(action, ast.Constant) and action.value in _ALONE
            flags |= {name: not alone for name in names if isinstance(name, str) and name.startswith("-")}
    return flags
