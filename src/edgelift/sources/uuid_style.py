"""The form in which a moved database keeps UUIDs, by what the move did to their columns."""

from __future__ import annotations

from edgelift.model.move_plan import MovePlan
from edgelift.rows.ops import read_settings


def read_uuid_style(plan: MovePlan) -> str:
    """Return the form of a moved database's UUIDs: `text`, `hex` or `blob`.

    Without any column of that type it is that of the ORMs, which then keep 32 digits in texts.
    """
    fields = [field for table in plan.tables for field in table.spec.fields]
    styles = [read_settings(f.op, f.argument)["style"] for f in fields if f.op == "uuid"]
    return styles[0] if styles else ("hex" if plan.dialect == "mysql" else "text")
