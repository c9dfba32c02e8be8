"""Finds the origin's own HTTP tests: files that read the server's address from the environment."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from edgelift.project import TestsSection
from edgelift.sources.source_code import CodeGraph, SourceTree
from edgelift.sources.source_code.environment import read_variables

_ADDRESS = re.compile(
    r"^((TEST|E2E|API|APP|BASE|SERVER|SERVICE|TARGET|BACKEND|HTTP|SITE)_)*"
    r"(URL|URI|HOST|ADDRESS|ORIGIN|ENDPOINT|BASE|SERVER)$"
)


def find_http_tests(tree: SourceTree) -> tuple[TestsSection, str] | None:
    """Return the test command and where its address variable is read, None when there are none.

    A variable counts when its default is an HTTP address, or when its name says so.
    """
    graph = CodeGraph(tree, [path for path, file in tree.files.items() if file.is_test])
    for by_default in (True, False):
        for variable in read_variables(graph):
            default = variable.default or ""
            fits = default.startswith(("http://", "https://"))
            if fits if by_default else _ADDRESS.match(variable.name):
                path = variable.path or ""
                folder = _top_folder(path)
                command = _command(tree, folder)
                section = TestsSection(command=command, base_url_env=variable.name)
                return section, f"{path}:{variable.line}"
    return None


def _top_folder(path: str) -> str:
    parts = PurePosixPath(path).parts
    return parts[0] if len(parts) > 1 else path


def _command(tree: SourceTree, folder: str) -> tuple[str, ...]:
    own = [f for p, f in tree.files.items() if p == folder or p.startswith(f"{folder}/")]
    lines = "\n".join(line for file in own for line in file.lines)
    if "unittest.TestCase" in lines and "pytest" not in lines and folder.count(".") == 0:
        return ("python", "-m", "unittest", "discover", "-s", folder)
    return ("pytest", folder)
