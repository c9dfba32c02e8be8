"""The findings as SARIF 2.1.0, with each rule's text: what code-scanning services show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

import edgelift
from edgelift.model.findings import Finding
from edgelift.model.rules import Rule

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def to_sarif(findings: Sequence[Finding], rules: Mapping[str, Rule]) -> bytes:
    """Return one SARIF run; paths are relative to the project, which %SRCROOT% stands for.

    Rules without a text here (those of the package resolver) are listed by their id.
    """
    used = sorted({finding.rule for finding in findings})
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "edgelift",
                        "semanticVersion": edgelift.__version__,
                        "rules": [_to_rule(name, rules.get(name)) for name in used],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"SRCROOT": {"description": {"text": "the project"}}},
                "results": [_to_result(finding, used) for finding in findings],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(log), indent=2) + b"\n"


def _to_rule(name: str, rule: Rule | None) -> dict[str, object]:
    if rule is None:
        return {"id": name}
    return {
        "id": name,
        "name": name.replace("-", " ").title().replace(" ", ""),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.title}: {rule.why}."},
        "help": {"text": rule.tip},
        "defaultConfiguration": {"level": rule.level},
    }


def _to_result(finding: Finding, used: list[str]) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": finding.rule,
        "ruleIndex": used.index(finding.rule),
        "level": finding.level,
        "message": {"text": f"{finding.message}. {finding.tip}".strip()},
    }
    if finding.path is not None:
        place: dict[str, object] = {
            "artifactLocation": {"uri": quote(finding.path), "uriBaseId": "SRCROOT"}
        }
        if finding.line is not None:
            place["region"] = {"startLine": finding.line}
        result["locations"] = [{"physicalLocation": place}]
    if finding.accepted:
        result["suppressions"] = [{"kind": "external", "status": "accepted"}]
    return result
