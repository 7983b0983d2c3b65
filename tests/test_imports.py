"""The import ladder: jobs > pipelines > face0 > schemas, and imports only ever go down it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
SHARED_BY_JOBS = "jobs.options"
DISPATCHER = "jobs/main.py"
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
    found = {name for name in imports(ROOT / path) if top(name) == "jobs"}
    assert all(name == SHARED_BY_JOBS or name.startswith(f"{SHARED_BY_JOBS}.") for name in found)


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] != "pipelines"], ids=str)
def test_all_beam_lives_in_pipelines(path):
    assert "apache_beam" not in {top(name) for name in imports(ROOT / path)}


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
    return {top(name) for name in result.stdout.split()}


def test_the_library_loads_without_beam():
    found = loaded("import face0.augment")
    assert "torch" in found
    assert "apache_beam" not in found


def test_schemas_load_without_the_library():
    assert not loaded("import schemas.face_shard, schemas.failures, schemas.job") & {"face0", "torch", "apache_beam"}


def test_help_does_not_wait_for_torch():
    found = loaded("from jobs.main import main\nmain(['--help'])")
    assert "torch" not in found
    assert "apache_beam" not in found
