"""The rules of the house that can be measured: layers, sizes, docstrings, words."""

from __future__ import annotations

import ast
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "edgelift"
MODULES = sorted(SRC.rglob("*.py"))

# From the ground up: a module may import its own layer and those before it.
LAYERS = (
    ("errors", "model", "events", "journal", "project", "run"),
    ("toolchain", "rows", "sources", "targets"),
    ("stages",),
    ("pipeline",),
    ("verbs", "serving"),
    ("cli", "__main__"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def read_imports(path: Path) -> set[str]:
    """Return the edgelift modules a file imports, wherever in the file, `if TYPE_CHECKING` included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "edgelift"}


def find_violations(module: str, imports: set[str]) -> list[str]:
    """Return what a module imports against the layers; names are dotted, from `edgelift`."""
    parts = module.split(".")
    found = []
    for name in sorted(imports):
        other = name.split(".")
        if len(other) < 2 or len(parts) < 2:
            continue
        if parts[1] == "worker":
            if other[1] != "worker":
                found.append(f"{module} imports {name}: the Worker's code stands alone")
            continue
        if other[1] not in LEVEL:
            continue
        if LEVEL[other[1]] > LEVEL[parts[1]]:
            found.append(f"{module} imports {name}: a higher layer")
        if parts[1] == other[1] == "stages" and len(parts) > 2 and parts[2] != other[2]:
            found.append(f"{module} imports {name}: another stage")
    return found


def module_name(path: Path) -> str:
    relative = path.relative_to(SRC.parent).with_suffix("")
    return ".".join(p for p in relative.parts if p != "__init__")


def test_imports_point_one_way() -> None:
    found = [v for path in MODULES for v in find_violations(module_name(path), read_imports(path))]
    assert found == []


@pytest.mark.parametrize(
    ("module", "imports"),
    [
        ("edgelift.errors", {"edgelift.stages.plan"}),
        ("edgelift.stages.plan.audit", {"edgelift.stages.assess.rules"}),
        ("edgelift.worker.wsgi", {"edgelift.errors"}),
        ("edgelift.sources.sqlite", {"edgelift.cli.main"}),
    ],
)
def test_a_wrong_import_is_caught(module: str, imports: set[str]) -> None:
    assert find_violations(module, imports)


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_sizes() -> None:
    lines = {path: path.read_text().count("\n") for path in MODULES}
    real = [n for n in lines.values() if n > 10]
    assert {str(p.relative_to(ROOT)): n for p, n in lines.items() if n > 600} == {}
    assert statistics.median(real) <= 150
    sizes = {
        f"{path.relative_to(ROOT)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in functions(ast.parse(path.read_text()))
    }
    assert {name: n for name, n in sizes.items() if n > 80} == {}
    assert statistics.median(sizes.values()) <= 12


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in MODULES
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_nothing_is_half_built() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError|not implemented|for now\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in [*MODULES, *sorted(SRC.rglob("*.mjs"))]
        for number, line in enumerate(path.read_text().splitlines(), 1)
        # Patches of Pyodide quote its own source, where it refuses what we add.
        if marks.search(line) and path.name != "patches.py"
    ]
    assert found == []


def test_source_knows_no_example() -> None:
    names = [folder.name for folder in (ROOT / "examples").iterdir() if folder.is_dir()]
    assert names
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*MODULES, *sorted(SRC.rglob("*.mjs"))]
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for name in names
        # The help texts show commands a user can type in this repository.
        if re.search(rf"\b{name}\b", line) and f"examples/{name}" not in line
    ]
    assert found == []


def test_broad_excepts_are_rare() -> None:
    broad = total = 0
    for path in MODULES:
        text = path.read_text()
        total += text.count("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ExceptHandler):
                kind = node.type
                broad += kind is None or (
                    isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}
                )
    assert broad / total * 1000 <= 0.5
