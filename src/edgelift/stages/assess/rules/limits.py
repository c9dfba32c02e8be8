"""Rules about sizes: what Cloudflare's limits refuse, seen before anything is built."""

from __future__ import annotations

from collections.abc import Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.sources.source_code.view import CodeView
from edgelift.stages.assess.settings_read import read_settings

BODY = Rule(
    id="LIMIT-BODY",
    level=Level.WARNING,
    title="Allows request bodies over 100 MB",
    why="Cloudflare refuses larger ones with 413 before the Worker (Free and Pro; 200 MB Business)",
    tip="lower MAX_CONTENT_LENGTH, or upload in parts",
)
ASSET_SIZE = Rule(
    id="LIMIT-ASSET-SIZE",
    level=Level.ERROR,
    title="A static file is over 25 MiB",
    why="Cloudflare's static assets refuse larger files",
    tip="serve it from elsewhere, or make it smaller",
)
ASSET_COUNT = Rule(
    id="LIMIT-ASSET-COUNT",
    level=Level.WARNING,
    title="More than 20,000 static files",
    why="the free plan refuses more than 20,000, the paid plan more than 100,000",
    tip="leave out what is not served",
)
RULES = (BODY, ASSET_SIZE, ASSET_COUNT)

# Limits workers.request_body, assets.file_bytes and assets.files of Cloudflare's documentation.
_BODY_BYTES = 100_000_000
_ASSET_BYTES = 25 * 1024 * 1024
_ASSET_FILES = 20_000


def check_limits(view: CodeView) -> Iterator[Finding]:
    """Yield request and file sizes over Cloudflare's limits."""
    for site, key, value in read_settings(view):
        size = view.constant(site, value) if key == "MAX_CONTENT_LENGTH" else None
        if isinstance(size, int) and size > _BODY_BYTES:
            yield BODY.at(f"MAX_CONTENT_LENGTH = {size:,}", site.path, site.line)
    count = 0
    for section in view.project.settings.static:
        folder = view.project.root / section.path
        for file in sorted(folder.rglob("*")):
            if not file.is_file():
                continue
            count += 1
            size_bytes = file.stat().st_size
            if size_bytes > _ASSET_BYTES:
                path = file.relative_to(view.project.root).as_posix()
                yield ASSET_SIZE.at(f"{size_bytes:,} bytes", path, None)
    if count > _ASSET_FILES:
        yield ASSET_COUNT.at(f"{count:,} files", view.project.settings.static[0].path, None)
