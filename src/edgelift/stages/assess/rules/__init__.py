"""The rules of assess: every RULES entry is documented in docs/reference/rules.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgelift.model.findings import Finding
from edgelift.model.rules import Rule
from edgelift.sources.source_code.view import CodeView
from edgelift.stages.assess.rules import (
    database_sql,
    databases,
    imports,
    limits,
    network,
    passwords,
    processes,
    scheduling,
    secrets,
    state,
    storage,
)

RULES: tuple[Rule, ...] = (
    *imports.RULES,
    *processes.RULES,
    *storage.RULES,
    *state.RULES,
    *network.RULES,
    *scheduling.RULES,
    *databases.RULES,
    *database_sql.RULES,
    *secrets.RULES,
    *limits.RULES,
    *passwords.RULES,
)

# What D1's engine does otherwise than the origin's: of no matter where the database stays.
DIALECT_RULES = frozenset(rule.id for rule in database_sql.RULES)

CHECKS: tuple[Callable[[CodeView], Iterator[Finding]], ...] = (
    imports.check_imports,
    imports.check_import_effects,
    processes.check_processes,
    storage.check_storage,
    state.check_state,
    network.check_network,
    scheduling.check_scheduling,
    database_sql.check_sql,
    secrets.check_secrets,
    limits.check_limits,
    passwords.check_passwords,
)


def check_code(view: CodeView) -> list[Finding]:
    """Return the findings of all checks, each once, by file and line."""
    found: dict[tuple[str, str | None, int | None, str], Finding] = {}
    for check in CHECKS:
        for finding in check(view):
            key = (finding.rule, finding.path, finding.line, finding.message)
            found.setdefault(key, finding)
    return sorted(found.values(), key=lambda f: (f.path or "", f.line or 0, f.rule))
