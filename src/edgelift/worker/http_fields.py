"""The flat form of headers between JavaScript and Python, and the checks before sending them."""

from __future__ import annotations

import re
from collections.abc import Iterable

# RFC 9110 section 5.5 and 5.6.2; gunicorn checks the same (http/wsgi.py).
_TOKEN = re.compile(r"[!#$%&'*+\-.\^_`|~0-9a-zA-Z]+")
_VALUE = re.compile(r"[ \t\x21-\x7e\x80-\xff]*")
_STATUS = re.compile(r"[0-9]{3}(?: [ \t\x21-\x7e\x80-\xff]*)?")
# Those of RFC 2616 section 13.5.1, and what the server sends itself (gunicorn/util.py).
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "server",
        "date",
    }
)
EMPTY_STATUSES = frozenset({204, 304})

# Apps send the same few names and statuses in every reply, and checking one is what costs.
_MOST_KNOWN = 512
_known_names: dict[str, str] = {}
_known_statuses: dict[str, int] = {}


def split_headers(flat: str) -> list[tuple[str, str]]:
    """Return (lower-case name, value) pairs."""
    if not flat:
        return []
    fields = flat.split("\n")
    return list(zip(fields[::2], fields[1::2], strict=True))


def check_status(status: object) -> int:
    """Return the code of "200 OK"; raises TypeError or ValueError as gunicorn does."""
    if not isinstance(status, str):
        raise TypeError(f"{status!r} is not a string")
    code = _known_statuses.get(status)
    if code is None:
        if not _STATUS.fullmatch(status):
            raise ValueError(f"Invalid status {status!r}")
        code = int(status[:3])
        if len(_known_statuses) < _MOST_KNOWN:
            _known_statuses[status] = code
    return code


def check_name(name: object) -> str:
    """Return the lower-case form of a response header's name; raises TypeError or ValueError."""
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is not a string")
    lowered = _known_names.get(name)
    if lowered is None:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"Invalid header name {name!r}")
        lowered = name.lower()
        if len(_known_names) < _MOST_KNOWN:
            _known_names[name] = lowered
    return lowered


def check_value(name: str, value: object) -> str:
    """Return a response header's value ready to send.

    Raises TypeError or ValueError (naming the header only).
    """
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    # Printable ASCII, nearly always, needs no look at each letter by the pattern.
    if not (value.isascii() and value.isprintable()) and not _VALUE.fullmatch(value):
        raise ValueError(f"Invalid value of header {name!r}")
    return value.strip(" \t")


def check_header(name: object, value: object) -> tuple[str, str]:
    """Return a response header ready to send; raises what check_name and check_value raise."""
    check_name(name)
    assert isinstance(name, str)
    return name, check_value(name, value)


def join_headers(headers: Iterable[tuple[str, str]]) -> str:
    """Return the flat form of checked headers."""
    return "\n".join([f"{name}\n{to_javascript_text(value)}" for name, value in headers])


def to_javascript_text(value: str) -> str:
    """Return a header value of bytes-as-Latin-1 as workerd wants it, which sends text as UTF-8.

    Bytes that are no UTF-8 cannot be sent as they are; they are taken for Latin-1 letters.
    """
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return value


def to_wsgi_text(value: str) -> str:
    """Return a header value as WSGI's native string (bytes as Latin-1).

    JavaScript decoded it as UTF-8.
    """
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("latin-1")
