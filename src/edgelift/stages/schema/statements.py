"""Turn the origin's own DDL into D1's: the text stays as it is wherever D1 takes it."""

from __future__ import annotations

from edgelift.sources.sqlite_tokens import read_calls, tokenize
from edgelift.targets.d1_dialect import RENAMED_FUNCTIONS


def convert_statement(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return the statement for D1 and the names of functions that were renamed in it.

    Functions that D1 has under another name only are renamed; comments behind the last token go, as
    they would swallow a semicolon; line ends between tokens become LF, because D1's splitting of
    statements stumbles over CRLF inside triggers (cloudflare/workers-sdk issue 14991).
    """
    tokens = tokenize(sql)
    if not tokens:
        return "", ()
    calls = {token.start for token, _ in read_calls(tokens)}
    parts, end, renamed = [], tokens[0].start, []
    for token in tokens:
        parts.append(sql[end : token.start].replace("\r\n", "\n").replace("\r", "\n"))
        new = RENAMED_FUNCTIONS.get(token.name.lower()) if token.start in calls else None
        if new is not None:
            renamed.append(token.name.lower())
        parts.append(new or token.text)
        end = token.end
    text = "".join(parts)
    return text[:-1].rstrip() if text.endswith(";") else text, tuple(renamed)


def to_script(statements: list[str]) -> str:
    """Return statements as one SQL file, each closed by a semicolon on its last line."""
    return "".join(f"{statement};\n" for statement in statements)
