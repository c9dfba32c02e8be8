"""The entry of a deployed Worker: what the generated src/entry.py calls on Cloudflare's runtime.

It uses the package workers-runtime-sdk for Workers' entry point class, and this package's servers
for the requests: the SDK's own lose Content-Length and run an ASGI lifespan per request.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from edgelift.worker import runtime
from edgelift.worker.cloudflare_host import CloudflareHost
from edgelift.worker.host import MODULE, to_javascript
from edgelift.worker.http_fields import split_headers

_EMPTY_STATUSES = frozenset({101, 204, 205, 304})
_LARGEST_WHOLE_BODY = 1_048_576


class JobsFailedError(RuntimeError):
    """Scheduled jobs failed; Cloudflare marks the cron event so."""


def anchor_paths(settings: dict[str, Any], root: Path) -> dict[str, Any]:
    """Return the settings with their relative paths made absolute below `root`."""
    databases = [_anchor(database, root) for database in settings.get("databases", [])]
    return {**settings, "root": str(root / settings.get("root", ".")), "databases": databases}


def _anchor(database: dict[str, Any], root: Path) -> dict[str, Any]:
    anchored = dict(database)
    if "path" in database:
        anchored["path"] = str(root / database["path"])
    if "shards" in database:
        shards = database["shards"]
        anchored["shards"] = {**shards, "map": str(root / shards["map"])}
    return anchored


def build_entrypoint(settings: dict[str, Any], root: Path) -> type:
    """Import the app and return the class `Default` of the entry module.

    `settings` is the document of runtime.py, with paths relative to `root`. Raises what the app's
    import raises.
    """
    from workers import WorkerEntrypoint

    host = CloudflareHost()
    sys.modules[MODULE] = host  # type: ignore[assignment]
    runtime.configure(json.dumps(anchor_paths(settings, root)))
    gateway = Gateway(host)

    class Default(WorkerEntrypoint):  # type: ignore[misc]
        """Answers requests with the app and runs its scheduled jobs."""

        async def fetch(self, request: Any) -> Any:
            return await gateway.fetch(request)

        async def scheduled(self, controller: Any, *_arguments: Any) -> None:
            gateway.scheduled(controller)

    return Default


class Gateway:
    """Carries requests from Workers' objects to PROTOCOL's flat form and answers back."""

    def __init__(self, host: CloudflareHost) -> None:
        self._host = host
        self._ids = itertools.count(1)
        self._resumed = False

    def _ensure_resumed(self) -> None:
        if self._resumed:
            return
        import js

        self._resumed = True
        variables = {
            name: value
            for name, value in js.Object.entries(self._host.workers_module().env)
            if isinstance(value, str)
        }
        try:
            runtime.resume(json.dumps(variables))
        except BaseException:
            self._resumed = False
            raise

    async def fetch(self, request: Any) -> Any:
        """Answer a request, given as JavaScript's object or as the SDK's."""
        import js

        self._ensure_resumed()
        raw = getattr(request, "js_object", request)
        request_id = next(self._ids)
        body = await self._read_body(raw, request_id)
        url = js.URL.new(raw.url)
        query = url.search[1:] if url.search else ""
        flat = "\n".join(f"{pair[0]}\n{pair[1]}" for pair in raw.headers)
        stream_id = 0
        try:
            status, fields, content, stream_id = runtime.answer(
                raw.method, url.pathname, query, flat, body, url.origin, request_id
            )
        finally:
            if not stream_id:
                self._host.drop_body(request_id)
                self._host.end_transactions(request_id)
        return self._respond(raw.method, status, fields, content, stream_id)

    async def _read_body(self, raw: Any, request_id: int) -> Any:
        if not raw.body:
            return None
        told = raw.headers.get("content-length")
        length = int(told) if told else -1
        if 0 <= length <= _LARGEST_WHOLE_BODY:
            return await raw.arrayBuffer() if length else None
        self._host.keep_body(request_id, raw.body)
        return length

    def _respond(
        self, method: str, status: int, fields: str, content: bytes | None, stream_id: int
    ) -> Any:
        import js

        headers = js.Headers.new()
        for name, value in split_headers(fields):
            headers.append(name, value)
        body: Any = None
        if status not in _EMPTY_STATUSES and method != "HEAD":
            if stream_id:
                body = build_stream(stream_id, content, headers.get("content-length"))
            else:
                body = to_javascript(content or b"")
        return js.Response.new(body, status=status, headers=headers, encodeBody="manual")

    def scheduled(self, controller: Any) -> None:
        """Run the jobs of a cron event; raises JobsFailedError after the last of them."""
        self._ensure_resumed()
        cron, request_id = str(controller.cron), next(self._ids)
        report = json.loads(runtime.scheduled(cron, float(controller.scheduledTime), request_id))
        failed = [f"{job['name']}: {job['error']}" for job in report["jobs"] if not job["ok"]]
        if failed:
            raise JobsFailedError("; ".join(failed))


def build_stream(stream_id: int, first: bytes | None, length: Any) -> Any:
    """Return a ReadableStream of a body that is produced while the client reads it."""
    import js
    from pyodide.ffi import create_proxy

    proxies: list[Any] = []

    def finish() -> None:
        while proxies:
            proxies.pop().destroy()

    async def pull(controller: Any) -> None:
        nonlocal first
        part, first = (first, None) if first else (runtime.next_chunk(stream_id), None)
        if part is None:
            controller.close()
            finish()
        else:
            controller.enqueue(to_javascript(part))

    async def cancel(_reason: Any = None) -> None:
        runtime.close_stream(stream_id)
        finish()

    proxies += [create_proxy(pull), create_proxy(cancel)]
    stream = js.ReadableStream.new(pull=proxies[0], cancel=proxies[1])
    if not isinstance(length, str):
        return stream
    fixed = js.FixedLengthStream.new(int(length))
    stream.pipeTo(fixed.writable)
    return fixed.readable
