"""The last stage: writes what is on record as JSON, Markdown, HTML, JUnit and SARIF.

It reads the journal only and proves nothing itself. JSON is the source; all else are views of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import edgelift
from edgelift.errors import UsageError
from edgelift.model.sarif import to_sarif
from edgelift.project import hash_inputs
from edgelift.run import Result, Run, Stage
from edgelift.stages.report.document import Document, build_document
from edgelift.stages.report.junit import to_junit
from edgelift.stages.report.pages import to_html, to_markdown

if TYPE_CHECKING:
    from pathlib import Path


def _inputs(run: Run) -> str:
    document = build_document(run)
    return hash_inputs(edgelift.__version__, document.checks, document.findings, document.stages)


def _work(run: Run) -> Result:
    document = build_document(run)
    folder = run.project.folder("report")
    for name, text in render(document).items():
        write_atomically(folder / name, text)
    return {
        "summary": f"{document.verdict}: {document.passed} of {len(document.checks)} checks PASS, "
        f"{len(document.findings)} findings",
        "report": str(folder / "report.html"),
    }


def _intact(run: Run) -> bool:
    return (run.project.state / "report" / "report.html").exists()


def render(document: Document) -> dict[str, str]:
    """Return every view of a report by file name."""
    return {
        "report.json": document.to_json(),
        "report.md": to_markdown(document),
        "report.html": to_html(document),
        "junit.xml": to_junit(document),
        "findings.sarif": to_sarif(document.findings, {}).decode(),
    }


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that readers see the old or the new text, or raise UsageError."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UsageError(
            f"The report {path} cannot be written",
            why=str(error),
            tip="check that the disk is not full and the folder writable",
        ) from error


STAGE = Stage(name="report", inputs=_inputs, work=_work, intact=_intact)
