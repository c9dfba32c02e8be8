"""The transaction audit: what of the origin's transactions D1 would lose, with file and line.

Static and therefore not exact. Seen: calls that SQLAlchemy, sqlite3 and Django's atomic make
through names the source shows; functions of the project are walked into, twelve deep. Not seen: SQL
and sessions passed through containers, events and signals, cascades, triggers, what libraries do
with a session. A finding of level error names an order of statements that the source allows; that
it can happen at run time is likely, not proven. The driver refuses a lost rollback at run time too
(worker/sqlite3/transactions.py), so that what the audit misses is loud.
"""

from __future__ import annotations

import ast

from edgelift.model.findings import Finding
from edgelift.sources.source_code import Function
from edgelift.sources.source_code.view import COMMAND, CodeView, read_keyword
from edgelift.stages.plan.transactions import rules
from edgelift.stages.plan.transactions.vocabulary import Kind
from edgelift.stages.plan.transactions.walking import Walker

_HOOKS = ("teardown_request", "teardown_appcontext", "teardown_app_request", "after_request",
          "after_app_request", "errorhandler", "app_errorhandler", "middleware")  # fmt: skip
_CONNECTS = ("sqlite3.connect", "create_engine", "create_async_engine")


def audit(view: CodeView) -> list[Finding]:
    """Return the findings of all functions that a Worker may run, by file and line."""
    walker = Walker(view, autocommit=_is_autocommit(view))
    roots = [view.graph.functions[name] for name in sorted(view.handlers)]
    walked = view.graph.reach(view.handlers)
    others = [
        function
        for name, function in sorted(view.graph.functions.items())
        if name not in walked and name not in view.commands and walker.touches(function)
    ]
    hooks = [f for f in roots if _is_hook(f)]
    commits_later = any(Kind.COMMIT in _kinds(walker, hook) for hook in hooks)
    for function in roots:
        end = walker.walk(function)
        if end is not None and end.written and not commits_later and not walker.autocommit:
            first = end.written[0]
            message = f"{function.qualname}() ends after {first.text} without a commit"
            finding = rules.UNCOMMITTED.at(message, first.path, first.line)
            walker.findings.setdefault((finding.rule, first.path, first.line), finding)
    for function in others:
        if _phase(view, function) != {COMMAND}:
            walker.walk(function)
    _check_hooks(walker, hooks)
    found = [*walker.findings.values(), *_check_framework(view)]
    return sorted(found, key=lambda f: (f.path or "", f.line or 0, f.rule))


def _check_framework(view: CodeView) -> list[Finding]:
    app = view.project.settings.app
    if app.framework != "django":
        return []
    return [rules.FRAMEWORK.at(f"{app.entry} is an app of Django", None, None)]


def _phase(view: CodeView, function: Function) -> frozenset[str]:
    return frozenset({COMMAND}) if function.id in view.commands else frozenset()


def _is_hook(function: Function) -> bool:
    return any(hook in ast.unparse(d) for d in function.node.decorator_list for hook in _HOOKS)


def _kinds(walker: Walker, function: Function) -> set[Kind | None]:
    reached = walker.view.graph.reach([function.id])
    return {
        walker.words.classify(call, walker.view.graph.functions[name], {})
        for name in reached
        for call in ast.walk(walker.view.graph.functions[name].node)
        if isinstance(call, ast.Call)
    }


def _check_hooks(walker: Walker, hooks: list[Function]) -> None:
    """Report rollbacks in error handlers and teardowns when requests write several times."""
    if not any(finding.rule == rules.MULTI_WRITE.id for finding in walker.findings.values()):
        return
    for hook in hooks:
        for call in ast.walk(hook.node):
            kind = walker.words.classify(call, hook, {}) if isinstance(call, ast.Call) else None
            if kind is Kind.ROLLBACK:
                line = int(getattr(call, "lineno", hook.node.lineno))
                walker.report(rules.TEARDOWN, f"{hook.qualname}()", hook, line)


def _is_autocommit(view: CodeView) -> bool:
    """Return whether all connections the source opens commit every statement by themselves."""
    modes = []
    for site, call, name in view.calls:
        if name.endswith(_CONNECTS):
            level = read_keyword(call, "isolation_level")
            value = view.constant(site, level)
            is_none = isinstance(level, ast.Constant) and level.value is None
            modes.append(is_none or value == "AUTOCOMMIT")
    return bool(modes) and all(modes)
