"""The smallest implementation of the PROTOCOL (src/edgelift/worker/runtime.py): tests of worker.mjs use it.

The app is a module with functions named like the first part of the path; it gets a request and returns
(status, flat headers, body or iterator).
"""

import gc
import importlib
import json
import os
import random
from dataclasses import dataclass

app = None
streams = {}
ended = []
callbacks = {}
# Small, so that long heads come as text and short ones as letters that lie here.
INBOX_BYTES = 300
inbox = bytes(INBOX_BYTES)


@dataclass
class Request:
    method: str
    path: str
    query: str
    headers: dict
    body: object
    origin: str
    id: int
    form: str

    def read(self):
        import _edgelift_host
        from pyodide.ffi import run_sync

        if self.body is None:
            return b""
        if not isinstance(self.body, int):
            return self.body.to_bytes()
        parts = []
        while (part := run_sync(_edgelift_host.read_body(self.id))) is not None:
            parts.append(part.to_bytes())
        return b"".join(parts)


def configure(settings_json):
    global app  # noqa: PLW0603
    app = importlib.import_module(json.loads(settings_json)["entry"])


def resume(env_json):
    gc.disable()
    random.seed()
    os.environ.update(json.loads(env_json))


def locate_inbox():
    return id(inbox) + bytes.__basicsize__ - 1


def handle(head, body, request_id):
    import _edgelift_host

    if request_id % 16 == 0:
        gc.collect()
    form = "text" if isinstance(head, str) else "letters"
    if form == "letters":
        head = inbox[:head].decode("ascii")
    method, path, query, origin, *flat = head.split("\n")
    request = Request(
        method,
        path,
        query,
        dict(zip(flat[::2], flat[1::2], strict=False)),
        body,
        origin,
        request_id,
        form,
    )
    function = getattr(app, path.strip("/").partition("/")[0] or "index", None)
    status, names, content = function(request) if function else (404, "", b"nothing here")
    if isinstance(content, bytes):
        address = id(content) + bytes.__basicsize__ - 1
        _edgelift_host.reply(request_id, status, names, address, len(content), 0)
    else:
        streams[request_id] = iter(content)
        _edgelift_host.reply(request_id, status, names, 0, 0, request_id)


def next_chunk(stream_id):
    from pyodide.ffi import to_js

    chunk = next(streams[stream_id], None)
    return None if chunk is None else to_js(chunk)


def close_stream(stream_id):
    stream = streams.pop(stream_id, None)
    if stream is not None:
        stream.close()


def end_request(request_id):
    streams.pop(request_id, None)
    ended.append(request_id)


def run_callback(token):
    callbacks.pop(token)()


def scheduled(cron, time_ms, request_id):
    return json.dumps({"jobs": [{"name": cron, "ok": time_ms > 0, "error": "", "ms": request_id}]})
