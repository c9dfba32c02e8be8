"""Short forms of requests and replies for tests."""

import json

from edgelift.model.flows import Reply, Request

JSON = ("Content-Type", "application/json")
HTML = ("Content-Type", "text/html; charset=utf-8")


def say(body, *headers, status=200, **fields):
    """Return a reply: JSON for anything but bytes."""
    if not isinstance(body, bytes):
        headers = (*headers, JSON)
        body = json.dumps(body).encode()
    return Reply(status=status, headers=headers, body=body, **fields)


def ask(path="/x", method="GET", **fields):
    """Return a request whose rule is its path."""
    return Request(method=method, path=path, rule=fields.pop("rule", path), **fields)
