"""Parses the origin's Python files and tells which of them the app consists of."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from edgelift.project import list_files

_TEST_FOLDERS = frozenset({"tests", "test", "testing", "tests_unit", "test_unit"})
# Larger files are data written as Python.
MOST_BYTES = 2_000_000


@dataclass(frozen=True)
class SourceFile:
    """A parsed file: `path` relative to the project, `module` dotted from the import root."""

    path: str
    module: str
    tree: ast.Module
    is_package: bool
    lines: tuple[str, ...] = field(repr=False, default=())

    @property
    def is_test(self) -> bool:
        """Return whether the file lies among tests."""
        parts = PurePosixPath(self.path).parts
        name = parts[-1]
        return (
            any(part in _TEST_FOLDERS for part in parts[:-1])
            or name.startswith("test_")
            or name.endswith("_test.py")
            or name == "conftest.py"
        )


@dataclass(frozen=True)
class BrokenFile:
    """A file that this Python cannot parse."""

    path: str
    line: int | None
    why: str


@dataclass(frozen=True)
class SourceTree:
    """All Python files of a project, by relative path."""

    root: Path
    files: dict[str, SourceFile]
    broken: tuple[BrokenFile, ...] = ()

    @property
    def modules(self) -> dict[str, SourceFile]:
        """Return the files by module name."""
        return {file.module: file for file in self.files.values()}

    def find_reachable(self, entry: str, loaded: Iterable[str] = ()) -> set[str]:
        """Return the paths of all files that importing module `entry` may import.

        `loaded` are paths that an actual import has shown; imports inside functions count too. All
        files that are not tests are returned when there is no such module.
        """
        modules = self.modules
        first = modules.get(entry)
        waiting = [*loaded, *([first.path] if first else [])]
        if not waiting:
            return {path for path, file in self.files.items() if not file.is_test}
        found: set[str] = set()
        while waiting:
            path = waiting.pop()
            if path in found or path not in self.files:
                continue
            found.add(path)
            for name in read_imports(self.files[path]):
                waiting.extend(file.path for file in _owners(name, modules))
        return found


def _owners(name: str, modules: dict[str, SourceFile]) -> Iterator[SourceFile]:
    """Yield the project's modules that importing a dotted name runs: its packages and itself."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        file = modules.get(".".join(parts[:count]))
        if file is not None:
            yield file


def read_sources(root: Path, import_root: str = ".") -> SourceTree:
    """Parse every Python file of a project; those that cannot be parsed are listed as broken.

    Raises UsageError for a folder that cannot be read.
    """
    files: dict[str, SourceFile] = {}
    broken: list[BrokenFile] = []
    base = root / import_root
    for file in list_files(root):
        if file.suffix != ".py":
            continue
        path = file.relative_to(root).as_posix()
        try:
            data = file.read_bytes()
            tree = ast.parse(data[: MOST_BYTES + 1] if len(data) <= MOST_BYTES else b"")
        except SyntaxError as error:
            broken.append(BrokenFile(path, error.lineno, error.msg))
            continue
        except (OSError, ValueError, RecursionError, MemoryError) as error:  # nested too deeply
            broken.append(BrokenFile(path, None, str(error) or "it nests too deeply"))
            continue
        start = base if file.is_relative_to(base) else root
        lines = tuple(data.decode("utf-8", "replace").splitlines())
        module = module_name(file.relative_to(start))
        files[path] = SourceFile(path, module, tree, file.name == "__init__.py", lines)
    return SourceTree(root, files, tuple(broken))


def module_name(path: Path) -> str:
    """Return the dotted name of a file given relative to its import root."""
    parts = list(path.with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def read_imports(file: SourceFile) -> set[str]:
    """Return the absolute dotted names a file imports, modules and their members alike."""
    found: set[str] = set()
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = resolve_relative(file, node)
            found.add(base)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in found if name}


def resolve_relative(file: SourceFile, node: ast.ImportFrom) -> str:
    """Return the absolute module of a `from ... import`."""
    if not node.level:
        return node.module or ""
    parts = file.module.split(".") if file.module else []
    drop = node.level - 1 if file.is_package else node.level
    base = parts[: len(parts) - drop] if drop else parts
    return ".".join([*base, *([node.module] if node.module else [])])
