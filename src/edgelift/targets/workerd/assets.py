"""Lists the static files that the Worker (js/assets.mjs) answers before Python is asked."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from edgelift.targets.workerd.pack import read_folder

# The types browsers insist on, whatever the machine's own tables say (RFC 9239, WHATWG MIME).
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".ico": "image/vnd.microsoft.icon",
    ".txt": "text/plain",
}
_CONTROL_FILES = frozenset({"_headers", "_redirects", ".assetsignore"})

Asset = tuple[str, str, str, int]


def content_type(name: str) -> str:
    """Return the Content-Type of a file name, with the charset for text."""
    suffix = Path(name).suffix.lower()
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def list_assets(public: Path | None) -> tuple[dict[str, Asset], dict[str, bytes]]:
    """Return the assets by URL path, and their contents by the file name they get in the bundle.

    An asset is (file name, Content-Type, ETag, size). Files are stored under their hash, so no name
    of a user reaches a file system. Raises TargetError for an unreadable file.
    """
    assets: dict[str, Asset] = {}
    contents: dict[str, bytes] = {}
    for relative, data in read_folder(public) if public is not None and public.is_dir() else ():
        if relative in _CONTROL_FILES:
            continue
        name = hashlib.sha256(data).hexdigest()[:32]
        assets[f"/{relative}"] = (name, content_type(relative), f'"{name}"', len(data))
        contents[name] = data
    return assets, contents
