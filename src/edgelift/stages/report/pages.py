"""The report for people: Markdown for pull requests, one self-contained HTML page for reading."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import jinja2

from edgelift.stages.report.document import group_findings

if TYPE_CHECKING:
    from edgelift.stages.report.document import Document


def format_seconds(seconds: float | None) -> str:
    """Return a duration for people: `1.2 ms`, `0.35 s`, `12 s`, `-` when unknown."""
    if seconds is None:
        return "-"
    if seconds < 0.1:
        return f"{seconds * 1000:.2g} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:,.0f} s"


def format_bytes(size_bytes: int) -> str:
    """Return a size for people in powers of 1000: `12 B`, `3.4 MB`."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:,.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def to_html(document: Document) -> str:
    """Return the report as one HTML page without any outside resource or script."""
    return _render("report.html.jinja", document, autoescape=True)


def to_markdown(document: Document) -> str:
    """Return the report as Markdown."""
    return _render("report.md.jinja", document, autoescape=False)


def _render(name: str, document: Document, *, autoescape: bool) -> str:
    environment = jinja2.Environment(
        autoescape=autoescape,  # noqa: S701 - off for Markdown only
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["seconds"] = format_seconds
    environment.filters["bytes"] = format_bytes
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    source = resources.files("edgelift.stages.report").joinpath(name).read_text(encoding="utf-8")
    slowest = max(
        (max(line.origin_p95_s, line.target_p95_s) for line in document.latency), default=0.0
    )
    template = environment.from_string(source)
    return template.render(
        report=document, groups=group_findings(document.findings), slowest=slowest
    )
