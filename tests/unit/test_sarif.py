"""findings.sarif: what the SARIF 2.1.0 standard requires of a log, section by section."""

from __future__ import annotations

import json

from edgelift.model.findings import Finding, Level
from edgelift.model.sarif import to_sarif
from edgelift.stages.assess.rules import RULES

TEXTS = {rule.id: rule for rule in RULES}


def log_of(*findings: Finding) -> dict:
    return json.loads(to_sarif(findings, TEXTS))["runs"][0]


def test_a_log_without_findings_is_whole() -> None:
    log = json.loads(to_sarif([], TEXTS))
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    assert log["$schema"].endswith("sarif-2.1.0.json")
    assert log["runs"][0]["results"] == []
    assert log["runs"][0]["tool"]["driver"]["name"] == "edgelift"


def test_every_result_points_at_its_rule_and_place() -> None:
    known = RULES[0].at("seen", "src/a b.py", 7)
    foreign = Finding(rule="PKG-REFUSED", level=Level.ERROR, message="no wheel", path="r.txt")
    run = log_of(known, foreign)
    rules = run["tool"]["driver"]["rules"]
    for result, finding in zip(run["results"], (known, foreign), strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.rule
        assert result["level"] in {"none", "note", "warning", "error"}
        assert result["message"]["text"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "src/a%20b.py", "uriBaseId": "SRCROOT"}
    assert place["region"] == {"startLine": 7}
    assert "region" not in run["results"][1]["locations"][0]["physicalLocation"]
    assert "SRCROOT" in run["originalUriBaseIds"]


def test_an_accepted_finding_is_suppressed() -> None:
    finding = Finding(rule="X", level=Level.ERROR, message="m", accepted=True)
    assert log_of(finding)["results"][0]["suppressions"][0]["kind"] == "external"


def test_rules_explain_themselves() -> None:
    run = log_of(*(rule.at("seen", None, None) for rule in RULES))
    for rule in run["tool"]["driver"]["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in {"note", "warning", "error"}
