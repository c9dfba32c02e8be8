"""SQL texts of the app that were translated before the cut: the origin's words to SQLite's."""

from __future__ import annotations

from collections.abc import Mapping

_texts: dict[str, str] = {}
_kinds: dict[str, list[str]] = {}


def remember(texts: Mapping[str, str], kinds: Mapping[str, list[str]]) -> None:
    """Know translations, and kinds of result columns, by the exact text in the app's source."""
    _texts.update(texts)
    _kinds.update(kinds)


def read_kinds(text: str) -> list[str]:
    """Return the kinds of a text's result columns, none where they are not known."""
    return _kinds.get(text, [])


def read_text(text: str) -> str | None:
    """Return the translation of a text, None for one that goes as it is."""
    return _texts.get(text)
