"""The notebook's own HTTP tests: BASE_URL tells where it runs."""

import json
import os
import urllib.error
import urllib.request

BASE = os.environ.get("BASE_URL", "http://127.0.0.1:5000")


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        BASE + path, data, {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_index():
    status, body = call("GET", "/")
    assert status == 200
    assert body["notes"] >= 1


def test_one_note():
    status, body = call("GET", "/notes/1")
    assert (status, body["big"]) == (200, 2**53 + 1)


def test_unknown_note():
    assert call("GET", "/notes/99999999") == (404, {"error": "no such note"})


def test_create_and_read():
    status, body = call("POST", "/notes", {"title": "new", "weight": 1.0})
    assert status == 201
    assert call("GET", f"/notes/{body['id']}")[1]["weight"] == 1.0


def test_bad_limit():
    assert call("GET", "/notes?limit=0")[0] == 400
