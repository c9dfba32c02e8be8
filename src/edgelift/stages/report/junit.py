"""The report as JUnit XML, for CI systems: a suite per stage, a test case per check."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from edgelift.model.findings import Status

if TYPE_CHECKING:
    from edgelift.model.findings import Check
    from edgelift.stages.report.document import Document

# Characters that XML 1.0 (section 2.2) cannot hold, even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(document: Document) -> str:
    """Return JUnit XML; FAIL is a failure, NOT RUN and SKIPPED are skipped with their reason."""
    root = ET.Element("testsuites", name=f"edgelift {document.project}")
    suites: dict[str, list[Check]] = {}
    for check in document.checks:
        suites.setdefault(check.stage, []).append(check)
    for stage, checks in suites.items():
        suite = ET.SubElement(
            root,
            "testsuite",
            name=stage,
            tests=str(len(checks)),
            failures=str(sum(c.status is Status.FAIL for c in checks)),
            skipped=str(sum(c.status in {Status.NOT_RUN, Status.SKIPPED} for c in checks)),
            errors="0",
            time=f"{sum(c.duration_s for c in checks):.3f}",
            timestamp=document.generated,
        )
        for check in checks:
            _add_case(suite, check)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_case(suite: ET.Element, check: Check) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"edgelift.{check.stage}",
        name=_clean(check.id),
        time=f"{check.duration_s:.3f}",
    )
    text = _clean("\n".join([check.evidence, *check.detail, f"reproduce: {check.reproduce}"]))
    if check.status is Status.FAIL:
        ET.SubElement(case, "failure", message=_clean(check.evidence)).text = text
    elif check.status is not Status.PASS:
        ET.SubElement(case, "skipped", message=_clean(f"{check.status}: {check.evidence}"))
    else:
        ET.SubElement(case, "system-out").text = text


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
