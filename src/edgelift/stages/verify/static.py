"""Every static file, fetched from the Worker and compared by hash with the one that was lifted."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import msgspec

from edgelift.model.flows import Request
from edgelift.stages.verify.client import Client
from edgelift.stages.verify.compare import decode_body
from edgelift.stages.verify.sides import Bench


class StaticOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How many files were fetched, how many bytes, and each that differs."""

    files: int
    size_bytes: int
    wrong: tuple[str, ...] = ()


def check_static(bench: Bench, files: dict[str, str]) -> StaticOutcome:
    """Fetch all files from a fresh Worker; `files` maps URL paths to SHA-256 hexadecimal hashes."""
    size, wrong = 0, []
    with bench.worker.open("static") as side, Client(side.url) as client:
        for done, (path, expected) in enumerate(sorted(files.items()), 1):
            target = quote(f"/{path.lstrip('/')}")
            reply = client.send(Request(method="GET", path=target))
            body = decode_body(reply)
            size += len(body)
            if reply.error:
                side.check_alive()
                wrong.append(f"GET {target} -> reply: {reply.error}")
            elif reply.status != 200:
                wrong.append(f"GET {target} -> status: 200 != {reply.status}")
            elif (found := hashlib.sha256(body).hexdigest()) != expected:
                wrong.append(f"GET {target} -> body: sha256 {expected[:16]} != {found[:16]}")
            bench.progress("static files", done, len(files))
    return StaticOutcome(files=len(files), size_bytes=size, wrong=tuple(wrong))
