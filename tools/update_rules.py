"""Write docs/reference/rules.md from the rules of assess and plan.

Example: python tools/update_rules.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from edgelift.model.rules import Rule
from edgelift.stages.assess.rules import RULES as ASSESS
from edgelift.stages.plan.rules import RULES as PLAN

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "rules.md"
HEAD = """# Rules

Made by `tools/update_rules.py` from the code. `edgelift assess` lists what it sees in the origin;
only `edgelift plan` stops the lift, for findings of level error whose rules are not listed under
`[accept] rules` of edgelift.toml. A place that neither the import nor a request is seen to reach
gives at most a warning for `PROC-` rules; what only commands (`flask NAME`) run is not looked at.

Findings of packages (`PKG-`) are in [packages.md](packages.md), of database schemas in
[schema-rules.md](schema-rules.md); `BUILD-`, `FILES-` and `MODEL-REFUSED` come from the stages of
those names.

## What the transaction audit sees
`TXN-` rules come from a static reading of the code that requests and jobs may run. It follows calls
into the project's own functions (twelve deep), takes of two branches the one that writes more, and
lets an exception come from any call. It knows SQLAlchemy sessions and connections,
Flask-SQLAlchemy, `sqlite3`, context managers of the app that commit or roll back, and Django's
`atomic`. It does not see sessions and SQL passed through containers, signals and events, cascades,
triggers, or what libraries write. A finding names an order of statements that the source allows,
not one that was observed; the driver in the Worker refuses a rollback after a write at run time
(`LostRollbackError`), so what the audit misses fails loudly.

"""


def build_page() -> str:
    """Return the page: one table for each stage."""
    tables = (_table("Rules of assess", ASSESS), _table("Rules of plan", PLAN))
    return HEAD + "\n".join(tables)


def _table(title: str, rules: tuple[Rule, ...]) -> str:
    head = "| rule | level | what | why it matters | what to do |"
    rows = [f"## {title}", head, "|---|---|---|---|---|"]
    for rule in rules:
        cells = (f"`{rule.id}`", rule.level, rule.title, rule.why, rule.tip)
        rows.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(build_page())
    sys.exit(0)
