"""The inn's own tests, against a running server."""

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
        return error.code, json.loads(error.read()) if error.code == 409 else None


def test_rooms_are_ordered_by_kind_and_found_whatever_the_case():
    assert [room["name"] for room in call("/rooms")[1]] == ["Attic", "Garden", "kings"]
    assert [room["id"] for room in call("/rooms?name=GARDEN")[1]] == [2]
    assert [room["id"] for room in call("/rooms?like=KING")[1]] == [3]
    assert call("/rooms")[1][0]["extras"] == {"view": "roofs", "beds": [1]}


def test_a_name_is_given_once():
    assert call("/rooms", {"name": "attic", "cents": 100})[0] == 409
    status, room = call("/rooms", {"name": "Barn", "cents": 1250, "extras": {"z": 1, "a": "ö"}})
    assert (status, room["price"], room["extras"]) == (201, "12.50", {"z": 1, "a": "ö"})
    assert room["id"] == 5  # the refused one has used a number


def test_bookings_do_not_overlap():
    taken = {"room": 1, "guest": "Bo", "arrives": "2024-05-02", "nights": 3}
    assert call("/bookings", taken)[0] == 409
    before = call("/rooms/1/bookings")[1]
    status, made = call("/bookings", taken | {"arrives": "2024-06-02"})
    assert (status, made["room"]) == (201, "Attic")
    assert call(f"/bookings/{made['id']}/pay", {"cents": 1234})[1]["paid"] == "12.34"
    assert call(f"/bookings/{made['id']}", method="DELETE")[0] == 204
    assert call("/rooms/1/bookings")[1] == before


def test_visits_and_reports():
    assert call("/visits/home", {})[1] == {"number": 42}
    assert call("/visits/new", {})[1] == {"number": 1}
    assert call("/reports/months")[1][0][0] == 202405
    assert call("/reports/rooms")[1][2] == ["kings", 1, 0.0, "suite/1"]
