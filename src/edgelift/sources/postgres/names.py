"""Names in PostgreSQL's SQL: quoting, as every query of this adapter writes them."""

from __future__ import annotations


def quote(name: str) -> str:
    """Return an identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def quote_table(schema: str, name: str) -> str:
    """Return a qualified table's name, each part quoted."""
    return f"{quote(schema)}.{quote(name)}"
