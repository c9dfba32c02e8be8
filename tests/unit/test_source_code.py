"""Names, calls, reach and variables of source code that nobody runs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from edgelift.sources.source_code import CodeGraph, read_sources
from edgelift.sources.source_code.environment import is_secret, read_variables
from edgelift.stages.init.requirements import find_requirements

FILES = {
    "shop/__init__.py": "from .app import make\n",
    "shop/app.py": (
        "from shop.store import db as storage, Store\n"
        "import shop.unused_lazily\n\n\n"
        "def make():\n    app = web.App()\n    return app\n\n\n"
        "def handler():\n    s = Store()\n    s.save()\n    help_me()\n    return storage.session.commit()\n\n\n"
        "def help_me():\n    from shop.late import run\n    run(handler)\n"
    ),
    "shop/store.py": (
        "import library as lib\n\ndb = lib.Database()\n\n\n"
        "class Store:\n    def save(self):\n        self._write()\n\n    def _write(self):\n        pass\n"
    ),
    "shop/late.py": "def run(call):\n    call()\n",
    "shop/unused_lazily.py": "",
    "alone.py": "def never(): ...\n",
    "tests/test_shop.py": "import alone\n",
}


@pytest.fixture
def graph(tmp_path: Path) -> CodeGraph:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return CodeGraph(read_sources(tmp_path))


def test_files_that_importing_the_entry_may_import(graph: CodeGraph) -> None:
    found = graph.tree.find_reachable("shop.app")
    assert found == {name for name in FILES if name.startswith("shop/")}
    assert graph.tree.find_reachable("no.such") == set(FILES) - {"tests/test_shop.py"}
    assert graph.tree.find_reachable("shop.late", ["alone.py"]) >= {"alone.py", "shop/late.py"}


def test_names_through_reexports_and_assignments(graph: CodeGraph) -> None:
    def resolve(text: str) -> str:
        return graph.names.resolve(ast.parse(text, mode="eval").body, "shop.app")

    assert resolve("storage.session.commit") == "library.Database().session.commit"
    assert resolve("Store") == "shop.store.Store"
    assert resolve("print") == "print"
    assert resolve("unknown.thing") == ""
    assert resolve("shop.app.make") == "shop.app.make"


def test_names_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from b import x\nx = x\n")
    (tmp_path / "b.py").write_text("from a import x\n")
    names = CodeGraph(read_sources(tmp_path)).names
    assert isinstance(names.resolve(ast.parse("x.y", mode="eval").body, "a"), str)


def test_reach_follows_methods_helpers_and_late_imports(graph: CodeGraph) -> None:
    assert graph.reach(["shop.app.handler"]) == {
        "shop.app.handler",
        "shop.app.help_me",
        "shop.late.run",
        "shop.store.Store.save",
        "shop.store.Store._write",
    }


def test_all_definitions_of_a_name_may_be_meant(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "class Box:\n"
        "    @property\n    def size(self):\n        return first()\n"
        "    @size.setter\n    def size(self, value):\n        second()\n\n\n"
        "def first(): ...\n\n\ndef second(): ...\n\n\n"
        "if web:\n    def work():\n        first()\n"
        "else:\n    def work():\n        def inner():\n            second()\n        inner()\n"
    )
    graph = CodeGraph(read_sources(tmp_path))
    assert {"app.Box.size", "app.Box.size~2", "app.work~2.inner"} <= set(graph.functions)
    assert graph.reach(["app.work"]) == {"app.work", "app.first"}
    assert graph.reach(["app.work~2"]) == {"app.work~2", "app.work~2.inner", "app.second"}
    (tmp_path / "app.py").write_text(
        "def a():\n    b()\n\n\ndef b(): ...\n\n\ndef b():\n    c()\n\n\ndef c(): ...\n"
    )
    graph = CodeGraph(read_sources(tmp_path))
    assert graph.reach(["app.a"]) == {"app.a", "app.b", "app.b~2", "app.c"}
    assert [f.id for f in graph.find_at("app.py", 8)] == ["app.b~2"]


def test_only_called_functions_run_on_import(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "def a(): b()\ndef b(): ...\ndef c(): ...\nhandlers = [c]\na()\n"
        "if __name__ == '__main__':\n    c()\n"
    )
    graph = CodeGraph(read_sources(tmp_path))
    assert graph.find_import_time() == {"app.a", "app.b"}
    assert graph.find_import_time("app:c()") == {"app.a", "app.b", "app.c"}


def test_variables_and_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text(
        "import os\nfrom os import environ, getenv\nfrom environs import Env\n"
        "from pydantic_settings import BaseSettings\n"
        "LIMIT = 5\nenv = environ\n"
        "env.get('PLAIN', 'x')\ngetenv('NONE')\nenviron['NEEDED']\nenv.get('CONST', LIMIT)\n"
        "Env().int('TYPED', 3)\nos.environ.get('PATH')\n"
        "class S(BaseSettings):\n    page_size: int = 20\n    api_key: str\n"
    )
    found = {
        v.name: (v.default, v.secret) for v in read_variables(CodeGraph(read_sources(tmp_path)))
    }
    assert found == {
        "API_KEY": (None, True),
        "CONST": ("5", False),
        "NEEDED": (None, False),
        "NONE": (None, False),
        "PAGE_SIZE": ("20", False),
        "PLAIN": ("x", False),
        "TYPED": ("3", False),
    }


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("SECRET_KEY", None, True),
        ("GITHUB_TOKEN", None, True),
        ("DB_PASSWORD", None, True),
        ("DBPASS", None, True),
        ("MYSQL_PWD", None, True),
        ("SENTRY_DSN", None, True),
        ("DATABASE_URL", "postgresql://u:p@host/db", True),
        ("DATABASE_URL", "sqlite:///a.db", False),
        ("KEYBOARD", None, False),
        ("PAGE_SIZE", None, False),
    ],
)
def test_which_variables_are_secret(name: str, value: str | None, secret: bool) -> None:
    assert is_secret(name, value) is secret


@pytest.mark.parametrize(
    ("file", "text", "lines"),
    [
        ("Pipfile", '[packages]\nflask = "*"\nclick = "==8.1.7"\n', ("flask", "click==8.1.7")),
        (
            "pyproject.toml",
            (
                '[tool.poetry.dependencies]\npython = "^3.11"\na = "^1.2.3"\nb = "^0.3"\nc = "~2.1"\n'
                'd = {version = ">=1,<3", extras = ["x", "y"]}\ne = {git = "https://h/e", rev = "1f"}\n'
            ),
            ("a>=1.2.3,<2", "b>=0.3,<0.4", "c>=2.1,<2.2", "d[x,y]>=1,<3", "e @ git+https://h/e@1f"),
        ),
        (
            "setup.cfg",
            "[options]\ninstall_requires =\n  flask>=2\n  click\n",
            ("flask>=2", "click"),
        ),
        (
            "setup.py",
            "from setuptools import setup\nsetup(install_requires=['flask'])\n",
            ("flask",),
        ),
        ("setup.py", "setup(install_requires=read())\n", ()),
        ("pyproject.toml", "not toml", ()),
    ],
)
def test_requirements_of_other_formats(
    file: str, text: str, lines: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / file).write_text(text)
    files, found = find_requirements(tmp_path, ".")
    assert found == lines
    assert files == ((".edgelift/requirements.txt",) if lines else ())
