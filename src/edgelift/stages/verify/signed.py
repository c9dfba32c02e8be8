"""Reads cookies that are signed with a time, so that compare sees what they say and not when.

The form is itsdangerous' URLSafeTimedSerializer, which makes Flask's sessions: a payload of base64
JSON (behind a dot: compressed), the time, a signature. The signature cannot be checked here: its
key is the app's.
"""

from __future__ import annotations

import base64
import json
import re
import zlib

# A time of 4 bytes; signatures of SHA-1, SHA-256 and SHA-512 in base64 without padding.
_TIMED = re.compile(r"(\.?)([\w-]+)\.([\w-]{6})\.(?:[\w-]{27}|[\w-]{43}|[\w-]{86})", re.ASCII)
_LARGEST = 65_536  # more than a browser keeps of all cookies of a site


def read_signed(value: str) -> object | None:
    """Return the JSON value that a cookie carries below its signature, None for other cookies."""
    found = _TIMED.fullmatch(value)
    if found is None:
        return None
    try:
        payload = base64.urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4))
        if found[1]:
            payload = zlib.decompressobj().decompress(payload, _LARGEST)
        said: object = json.loads(payload)
    except (ValueError, zlib.error):
        return None
    return said
