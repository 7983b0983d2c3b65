"""Imports only ever go down: jobs > pipelines > face0 > schemas, and within face0 by the list ORDER."""

import ast
import subprocess
import sys
from collections.abc import Container, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from jobs.main import JOBS

ROOT = Path(__file__).parents[1]
# The sub-packages of face0 from the ground up. Each may import those that stand before it, and ``face0.errors``.
ORDER = (
    "io",
    "runtime",
    "statistics",
    "tasks",
    "images",
    "readers",
    "detection",
    "embedders",
    "shards",
    "faces",
    "augmentation",
    "model",
    "training",
    "generation",
    "evaluation",
    "reports",
    "privacy",
)
TOP = {"__init__.py", "demo.py", "errors.py", "py.typed"}  # what lies in face0 itself
OURS = ("jobs", "pipelines", "face0", "schemas")
MAY = {
    "jobs": {"jobs", "pipelines", "face0", "schemas"},
    "pipelines": {"pipelines", "face0", "schemas"},
    "face0": {"face0", "schemas"},
    "schemas": {"schemas"},
}
NEVER = {
    "jobs": set(),
    "pipelines": {"argparse"},
    "face0": {"apache_beam", "argparse"},
    # What crosses storage can be read without any of the rest.
    "schemas": {"apache_beam", "argparse"},
}
MODULES = [path.relative_to(ROOT) for package in OURS for path in sorted((ROOT / package).rglob("*.py"))]
SHARED_BY_JOBS = ("jobs.options", "jobs.outcome", "jobs.sweeps")
COMMANDS = [[], *([job] for job in JOBS), ["faces", "fit"], ["evaluate", "paper"]]
SLOW = {"torch", "apache_beam", "diffusers", "transformers"}
DISPATCHER = "jobs/main.py"
LIBRARY = [path for path in MODULES if path.parts[0] == "face0"]
BY_NAME = ("import_module", "__import__")


def imports(path: Path) -> Iterator[str]:
    """The full names of all that a module imports, wherever in it: in functions and under TYPE_CHECKING too."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in BY_NAME:
            # "?": by a name that is computed, which only the dispatcher may do.
            yield ast.literal_eval(node.args[0]) if isinstance(node.args[0], ast.Constant) else "?"


def top(name: str) -> str:
    return name.partition(".")[0]


def test_there_are_modules_in_every_package():
    assert {path.parts[0] for path in MODULES} == set(OURS)
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_go_down_the_ladder(path):
    package = path.parts[0]
    found = {top(name) for name in imports(ROOT / path)}
    assert found & set(OURS) <= MAY[package]
    assert not found & NEVER[package]
    assert "?" not in found or str(path) == DISPATCHER


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] == "schemas"], ids=str)
def test_schemas_need_pyarrow_and_the_standard_library_only(path):
    assert {top(name) for name in imports(ROOT / path)} <= {"schemas", "pyarrow", *sys.stdlib_module_names}


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] == "jobs"], ids=str)
def test_a_job_imports_no_other_job(path):
    own = ".".join(path.parts[:2]).removesuffix(".py")  # a job with several commands is a package
    found = {name for name in imports(ROOT / path) if top(name) == "jobs"}
    assert all(name.startswith((*SHARED_BY_JOBS, own)) for name in found)


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] != "pipelines"], ids=str)
def test_all_beam_lives_in_pipelines(path):
    assert "apache_beam" not in {top(name) for name in imports(ROOT / path)}


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] != "jobs"], ids=str)
def test_only_jobs_print(path):
    calls = [node.func for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.Call)]
    assert "print" not in {call.id for call in calls if isinstance(call, ast.Name)}


@pytest.mark.parametrize("path", [path for path in LIBRARY if len(path.parts) > 2], ids=str)
def test_imports_within_the_library_go_down_the_list(path):
    below = {"errors", *ORDER[: ORDER.index(path.parts[1]) + 1]}
    found = {name.split(".")[1] for name in imports(ROOT / path) if top(name) == "face0" and "." in name}
    assert found <= below


def test_every_module_of_the_library_lies_in_a_package_of_the_list():
    assert {path.name for path in (ROOT / "face0").iterdir() if path.is_file()} <= TOP
    assert {path.parts[1] for path in LIBRARY if len(path.parts) > 2} == set(ORDER)


def test_modules_do_not_import_each_other_in_circles():
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in MODULES}
    graph = {
        name: {module for found in imports(ROOT / path) if (module := module_of(found, names)) not in (name, None)}
        for name, path in names.items()
        if path.name != "__init__.py"  # which imports its modules lazily, and only when it is asked for a name
    }
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError


def module_of(name: str, names: Container[str]) -> str | None:
    """The module of ours that an imported name is, or is in."""
    if name in names:
        return name
    above = name.rpartition(".")[0]
    return above if above in names else None


def test_imports_are_found_wherever_they_stand(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    module = tmp_path / "face0" / "readers" / "x.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "from typing import TYPE_CHECKING\nimport importlib\nif TYPE_CHECKING:\n    import a.b\n"
        "def f():\n    from c import d\nfrom . import e\nfrom ..g import h\n"
        "importlib.import_module('i')\nimportlib.import_module(f)\n"
    )
    assert set(imports(module)) == {
        "typing.TYPE_CHECKING", "importlib", "a.b", "c.d", "face0.readers.e", "face0.g.h", "i", "?"
    }  # fmt: skip


def loaded(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return {top(name) for name in result.stdout.splitlines()[-1].split()}


def test_the_library_loads_without_beam():
    found = loaded("import face0.augmentation.augmenter")
    assert "torch" in found
    assert "apache_beam" not in found


@pytest.mark.parametrize("name", ["pipelines.augmentation.LoadAugmenter", "pipelines.generator.LoadGenerator"])
def test_a_worker_process_loads_without_beam(name):
    module, _, function = name.rpartition(".")
    assert "apache_beam" not in loaded(f"from {module} import {function}")


def test_schemas_load_without_the_library():
    assert not loaded("import schemas.face_shard, schemas.failures, schemas.job") & {"face0", "torch", "apache_beam"}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_waits_for_nothing_that_takes_seconds(command):
    assert not loaded(f"from jobs.main import main\ntry: main({[*command, '--help']})\nexcept SystemExit: pass") & SLOW


@pytest.mark.parametrize("job", JOBS)
def test_a_wrong_option_is_refused_as_fast(job):
    wrong = f"main(['{job}', '--outptu', 'x'])"
    statement = f"from jobs.main import main\ntry: {wrong}\nexcept SystemExit as end: assert end.code == 2"
    assert not loaded(statement) & SLOW
