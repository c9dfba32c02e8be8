"""The theatre's own tests, against a running server."""

import json
import os
from urllib.error import HTTPError
from urllib.request import Request, urlopen

BASE = os.environ["BASE_URL"]


def call(path, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = Request(BASE + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def test_shows():
    first, second = call("/shows")[1][:2]
    assert (first["title"], first["price"], first["hall"], first["tags"]) == ("Hamlet", "25.00", "A", ["drama", "classic"])
    assert first["starts"] == "2030-05-01T17:30:00+00:00"
    assert [show["title"] for show in call("/shows?tag=drama")[1]] == ["Hamlet"]
    assert second["hall"] is None


def test_bookings_are_all_or_nothing_when_asked():
    assert call("/shows/1/bookings", {"holder": "Bo", "numbers": [2, 1], "all": True})[0] == 409
    assert call("/shows/1")[1]["free"] == 2
    assert call("/shows/1/bookings", {"holder": "Bo", "numbers": [1, 2, 99]})[1] == {"done": [[2, "UPDATE 1"]]}
    told = call("/shows/1")[1]
    assert told["free"] == 1
    assert told["taken"][1] == {"number": 2, "holder": "Bo", "booked_at": "2024-06-01T08:00:00.000500+00:00"}


def test_a_show_with_a_wrong_seat_leaves_nothing():
    wrong = {"title": "X", "price": "1", "seats": [1, 2, 1]}
    assert call("/shows", wrong)[1] == {"error": "UniqueViolationError", "code": "23505", "constraint": "seats_number"}
    assert call("/shows", {**wrong, "seats": [0]})[1]["error"] == "CheckViolationError"
    status, made = call("/shows", {"title": "Y", "price": "9.999", "seats": [1, 2], "tags": ["a"], "info": {"z": 1}})
    assert (status, made["seats"]) == (201, 2)
    told = call(f"/shows/{made['id']}")[1]
    assert (told["price"], told["info"], told["free"]) == ("10.00", {"z": 1}, 2)
    assert call(f"/shows/{made['id']}", method="DELETE")[1]["error"] == "ForeignKeyViolationError"
