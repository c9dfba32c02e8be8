"""Strict parsing of ids, query strings and JSON bodies."""

from __future__ import annotations

import re
from typing import Any

from flask import request

from .errors import bad_request

# What an INTEGER PRIMARY KEY can hold.
MAX_ID = 2**63 - 1
_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def parse_token_id(raw: str) -> int:
    if _ID.fullmatch(raw) is None or int(raw) > MAX_ID:
        raise bad_request("invalid_token_id", "A token id is a positive whole number.")
    return int(raw)


def read_int(name: str, default: int, low: int, high: int) -> int:
    """Read a whole number from the query string; 400 when it is none or out of range."""
    raw = request.args.get(name)
    if raw is None:
        return default
    if _INTEGER.fullmatch(raw) is None or not low <= int(raw) <= high:
        raise bad_request(
            f"invalid_{name}", f"{name} must be a whole number from {low} to {high}."
        )
    return int(raw)


def read_choice(name: str, default: str, choices: Any) -> str:
    raw = request.args.get(name, default)
    if raw not in choices:
        raise bad_request(f"invalid_{name}", f"{name} must be one of: {', '.join(choices)}.")
    return raw


def read_json_object() -> dict[str, Any]:
    body = request.get_json()
    if not isinstance(body, dict):
        raise bad_request("invalid_body", "The body must be a JSON object.")
    return body
