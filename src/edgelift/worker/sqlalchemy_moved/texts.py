"""SQL texts of the app that were translated before the cut: the origin's words to SQLite's."""

from __future__ import annotations

from collections.abc import Mapping

_texts: dict[str, str] = {}


def remember(texts: Mapping[str, str]) -> None:
    """Know these translations, by the exact text in the app's source."""
    _texts.update(texts)


def read_text(text: str) -> str | None:
    """Return the translation of a text, None for one that goes as it is."""
    return _texts.get(text)
