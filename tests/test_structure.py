"""The rules that keep the code in shape: how large a module may be, who prints, and who may import whom."""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import pytest

from veridact.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
FOLDERS = {"veridact": ROOT / "veridact", **{f"veridact.{n}": ROOT / n for n in ("schema", "locate", "render")}}
MAX_MODULES, MAX_MODULE_LINES, MAX_FUNCTION_LINES = 16, 320, 50

LONG_MODULES: set[str] = set()
LONG_FUNCTIONS = {"veridact.api.calls:locate"}
"""Modules and `module:function`s that may be longer: a signature of 23 options takes half of one."""

PRINTS = {"veridact.render.audio.decode_worker"}
"""A program whose stdout is a pipe to `render`."""

OPENS = {"veridact.schema.json_schema"}
"""Writes the committed JSON Schema when it is run as a program."""

NO_COMMANDS = {"main", "runner", "output", "entry", "progress", "completion", "edit_completion"}
"""Modules of `cli` that are no command: the group, how commands start and end, and what they share."""


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of ours by its name, parsed."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = ast.parse(path.read_text())
    assert len(found) > 150
    return found


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function and method, with the module it is in."""
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield name, node


def names_used(tree: ast.AST) -> set[str]:
    """What a module calls, raises or reads of `sys`: `print`, `sys.exit`, `path.open` as `.open`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found |= {ast.unparse(node.func), f".{node.func.attr}"}
        elif isinstance(node, ast.Call):
            found.add(ast.unparse(node.func))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(ast.unparse(node))
        elif isinstance(node, ast.Raise) and node.exc is not None:
            found.add(ast.unparse(node.exc))
    return found


def test_no_folder_has_too_many_modules() -> None:
    counted = Counter(name.rpartition(".")[0] for name in modules())
    assert {folder: n for folder, n in counted.items() if n > MAX_MODULES and folder != "veridact.cli"} == {}


def test_no_module_is_too_long() -> None:
    lines = {
        ".".join((package, *path.relative_to(folder).with_suffix("").parts)): len(path.read_text().splitlines())
        for package, folder in FOLDERS.items() for path in folder.rglob("*.py")
    }  # fmt: skip
    assert {name for name, count in lines.items() if count > MAX_MODULE_LINES} == LONG_MODULES


def test_no_function_is_too_long() -> None:
    long = {
        f"{module}:{node.name}"
        for module, node in functions() if (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    }  # fmt: skip
    assert long == LONG_FUNCTIONS


ENDS_OR_PRINTS = {
    "print", "exit", "quit", "sys.exit", "SystemExit", "click.echo", "click.secho", "sys.stdout", "sys.stderr",
    "sys.__stdout__", "sys.__stderr__",
}  # fmt: skip
FILES = {
    "open", ".open", ".read_text", ".read_bytes", ".write_text", ".write_bytes", ".mkdir", ".unlink", ".stat",
    "io.open", "os.open",
}  # fmt: skip


def test_only_the_commands_print_or_exit() -> None:
    others = {name: names_used(tree) for name, tree in modules().items() if not name.startswith("veridact.cli.")}
    prints = {name for name, used in others.items() if {call.split("(")[0] for call in used} & ENDS_OR_PRINTS}
    assert prints == PRINTS


def test_the_contract_opens_no_file() -> None:
    opens = {
        name for name, tree in modules().items() if name.startswith("veridact.schema") and names_used(tree) & FILES
    }
    assert opens == OPENS


@pytest.mark.parametrize(("code", "found"), [
    ("print(1)", "print"), ("raise SystemExit(2)", "SystemExit(2)"), ("x = sys.stderr", "sys.stderr"),
    ("Path(a).open()", ".open"), ("with open(a) as f: pass", "open"), ("a.b.write_text('')", ".write_text"),
])  # fmt: skip
def test_what_these_rules_forbid_would_be_noticed(code: str, found: str) -> None:
    assert found in names_used(ast.parse(code))


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports whom, and which packages of others."""
    return grimp.build_graph("veridact", include_external_packages=True)


@pytest.mark.parametrize("package", ["av", "PIL", "click", "ctypes"])
def test_the_contract_imports_no_package_that_reads_media_or_prints(package: str, graph: grimp.ImportGraph) -> None:
    assert package in graph.modules
    assert graph.find_shortest_chains(importer="veridact.schema", imported=package) == set()


def test_every_module_of_the_command_line_is_one_command() -> None:
    commands = []
    for name, tree in modules().items():
        package, _, module = name.rpartition(".")
        if package != "veridact.cli":
            continue
        decorated = [
            f"{name}:{node.name}"
            for node in tree.body if isinstance(node, ast.FunctionDef)
            for decorator in node.decorator_list if ast.unparse(decorator).startswith("click.command(")
        ]  # fmt: skip
        assert len(decorated) == (module not in NO_COMMANDS), name
        commands += decorated
    assert sorted(commands) == sorted(COMMANDS.values())


def contracts() -> dict[str, dict[str, Any]]:
    """The import-linter contracts by name; `make lint` checks that the code keeps them."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return {contract["name"]: contract for contract in listed}


def layers() -> list[list[str]]:
    """The layers from top to bottom, each with the names that stand side by side."""
    return [layer.replace("(", "").replace(")", "").split(" | ") for layer in contracts()["layers"]["layers"]]


def test_every_module_and_package_stands_in_a_layer() -> None:
    named = [name for layer in layers() for name in layer]
    there = {name.split(".")[1] for name in modules() if "." in name}
    assert contracts()["layers"]["exhaustive"] is True
    assert contracts()["layers"]["containers"] == ["veridact"]
    assert sorted(named) == sorted(there)


def test_no_package_below_locate_may_load_a_model() -> None:
    at = next(number for number, layer in enumerate(layers()) if "locate" in layer)
    packages = {path.name for path in (ROOT / "veridact").iterdir() if path.is_dir() and path.name != "__pycache__"}
    below = {name for layer in layers()[at:] for name in layer} & packages - {"locate"}
    assert {f"veridact.{name}" for name in below} <= set(contracts()["no model library below locate"]["source_modules"])


def test_the_contract_is_kept_from_the_packages_of_others_by_import_linter_too() -> None:
    (kept,) = (c for c in contracts().values() if c.get("source_modules") == ["veridact.schema"])
    assert set(kept["forbidden_modules"]) >= {"av", "PIL", "click", "ctypes"}


def test_the_links_of_the_import_name_are_the_only_ones() -> None:
    links = {path.name: str(path.readlink()) for path in (ROOT / "veridact").iterdir() if path.is_symlink()}
    assert links == {name: f"../{name}" for name in ("schema", "locate", "render")}
