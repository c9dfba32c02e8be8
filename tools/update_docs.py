"""Write each verb's `--help` into its page under docs/verbs/, between the help marks.

Example: python tools/update_docs.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgelift.cli.main import cli

PAGES = Path(__file__).resolve().parents[1] / "docs" / "verbs"
BEGIN, END = "<!-- help: written by tools/update_docs.py -->", "<!-- /help -->"


def read_help(verb: str) -> str:
    """Return a verb's help as it is shown, 88 columns wide."""
    command = cli.commands[verb]
    # click keeps the help option of the first context it is shown in, so both must be alike.
    parent = click.Context(cli, info_name="edgelift", **cli.context_settings)
    context = click.Context(
        command, parent=parent, info_name=verb, terminal_width=88, max_content_width=88
    )
    return command.get_help(context)


def update_page(verb: str, text: str) -> str:
    """Return a page with its help block made current; raises ValueError without marks."""
    if BEGIN not in text or END not in text:
        raise ValueError(f"docs/verbs/{verb}.md lacks its help marks")
    head, rest = text.split(BEGIN, 1)
    _, tail = rest.split(END, 1)
    return f"{head}{BEGIN}\n```text\n{read_help(verb)}\n```\n{END}{tail}"


def main() -> int:
    """Update all pages and return the exit code."""
    for verb in cli.commands:
        page = PAGES / f"{verb}.md"
        page.write_text(update_page(verb, page.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
