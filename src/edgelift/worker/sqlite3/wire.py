"""JSON of messages to D1 and SQL objects, and of their answers."""

from __future__ import annotations

import base64
import json
from typing import Any

_BLOB = '{"b'  # how both forms of a blob begin


def _read_object(found: dict[str, Any]) -> Any:
    """Turn the two forms of a blob into bytes; everything else stays."""
    if len(found) == 1:
        if "b" in found:
            return bytes.fromhex(found["b"])
        if "blob" in found:
            return base64.b64decode(found["blob"])
    return found


_read_plain = json.JSONDecoder().decode
_read_blobs = json.JSONDecoder(object_hook=_read_object).decode

# One encoder for all: json.dumps makes a new one at each call.
write_message = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def read_answer(text: str) -> dict[str, Any]:
    """Return an answer, its blobs as bytes."""
    answer: dict[str, Any] = (_read_blobs if _BLOB in text else _read_plain)(text)
    return answer
