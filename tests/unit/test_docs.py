"""Documentation that cannot rot: it is compared with the code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import edgelift
from edgelift.cli.main import EXIT_CODES, cli
from edgelift.project import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])


def load_tool():
    spec = importlib.util.spec_from_file_location("update_docs", ROOT / "tools" / "update_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("verb", sorted(cli.commands))
def test_every_verb_has_a_page_with_its_help(verb: str) -> None:
    text = (ROOT / "docs" / "verbs" / f"{verb}.md").read_text()
    assert load_tool().update_page(verb, text) == text, "run: python tools/update_docs.py"


def test_a_page_that_rotted_is_caught() -> None:
    tool = load_tool()
    page = f"# x\n{tool.BEGIN}\nold\n{tool.END}\n"
    assert tool.update_page("lift", page) != page


@pytest.mark.parametrize("verb", sorted(cli.commands))
def test_every_verb_is_a_library_call_with_a_docstring(verb: str) -> None:
    function = getattr(edgelift, verb)
    assert callable(function)
    assert (function.__doc__ or "").strip()
    assert verb in edgelift.__all__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [t for t in targets if not (page.parent / t).exists()] == []


def test_the_readme_is_short_and_tells_the_exit_codes() -> None:
    text = (ROOT / "README.md").read_text()
    assert text.count("\n") <= 150
    told = re.sub(r"\s+", " ", text)
    assert EXIT_CODES.removesuffix(".") in told
    for verb in cli.commands:
        assert f"docs/verbs/{verb}.md" in text


def test_architecture_is_one_page() -> None:
    assert (ROOT / "ARCHITECTURE.md").read_text().count("\n") <= 60


def test_every_key_of_the_project_file_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "project-file.md").read_text()
    for name in Settings.__struct_fields__:
        assert f"`{name}`" in text or f"[{name}" in text, name


def test_every_page_can_be_reached_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if page != "index.md" and f"({page})" not in index] == []


def test_the_library_page_names_every_public_call() -> None:
    text = (ROOT / "docs" / "library.md").read_text()
    assert [name for name in edgelift.__all__ if name not in text] == []
