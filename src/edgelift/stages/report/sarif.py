"""Findings as SARIF 2.1.0, the form in which code-scanning services show them beside the source."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

if TYPE_CHECKING:
    from edgelift.model.findings import Finding
    from edgelift.stages.report.document import Document

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def to_sarif(document: Document) -> str:
    """Return all findings as one SARIF run; accepted ones carry a suppression."""
    rules = sorted({finding.rule for finding in document.findings})
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "edgelift",
                        "version": document.edgelift,
                        "rules": [{"id": rule} for rule in rules],
                    }
                },
                "results": [_to_result(finding, rules) for finding in document.findings],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode() + "\n"


def _to_result(finding: Finding, rules: list[str]) -> dict[str, object]:
    text = f"{finding.message}\n{finding.tip}" if finding.tip else finding.message
    result: dict[str, object] = {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": finding.level,
        "message": {"text": text},
    }
    if finding.path is not None:
        place: dict[str, object] = {"artifactLocation": {"uri": quote(finding.path)}}
        if finding.line is not None:
            place["region"] = {"startLine": finding.line}
        result["locations"] = [{"physicalLocation": place}]
    if finding.accepted:
        result["suppressions"] = [{"kind": "external"}]
    return result
