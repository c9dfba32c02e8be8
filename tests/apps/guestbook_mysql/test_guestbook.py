"""The guestbook's own tests, against a running server."""

import json
import os
from urllib.error import HTTPError
from urllib.request import Request, urlopen

BASE = os.environ["BASE_URL"]


def call(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = Request(BASE + path, data, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


def test_entries_are_written_with_their_replies():
    status, made = call("/entries", {"author": "Ida", "body": "Grüße", "replies": ["a", "b"]})
    assert status == 201
    found = [entry for entry in call("/entries")[1] if entry["id"] == made["id"]]
    assert found[0]["replies"] == 2
    assert found[0]["author"] == "Ida"


def test_a_failing_entry_leaves_nothing():
    before = call("/entries")[1]
    status, answer = call("/entries", {"author": "Ida", "body": "x", "replies": ["ok", "y" * 400]})
    assert (status, answer["code"]) == (400, 1406)
    assert call("/entries")[1] == before


def test_visits_are_counted():
    first = call("/")[1]["visits"]
    assert call("/")[1]["visits"] == first + 1
