"""The parcels' own tests, against a running server."""

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
        content = error.read()
        return error.code, json.loads(content) if content[:1] == b"{" else None


def test_parcels():
    found = call("/parcels?code=p")[1]
    assert [p["status"] for p in found] == sorted((p["status"] for p in found), key=["new", "moving", "lost"].index)
    first = next(p for p in found if p["code"] == "P-1")
    assert (first["weight"], first["label"], first["city"]) == ("1.250", "00ff", "Malmo")


def test_a_full_depot_takes_nothing():
    before = call("/depots/2")[1]
    assert call("/parcels", {"depot": 2, "code": "X-1"})[0] == 201
    assert call("/parcels", {"depot": 2, "code": "X-2"}) == (409, {"error": "full"})
    after = call("/depots/2")[1]
    assert after["parcels"] == before["parcels"] + 1
    assert call("/parcels?code=X-2")[1] == []
    assert call("/parcels?code=X-1")[1][0]["label"] == b"\x00'\\label".hex()
    assert call("/parcels/X-1", method="DELETE")[0] == 204


def test_errors_have_their_numbers():
    assert call("/parcels", {"depot": 1, "code": "P-1"})[1]["code"] == 1062
    assert call("/parcels", {"depot": 1})[1]["code"] == 1048
    assert call("/parcels", {"depot": 77, "code": "Y"})[1]["code"] == 1452
    assert call("/parcels", {"depot": 1, "code": "Z" * 21})[1]["code"] == 1406
    assert call("/parcels", {"depot": 1, "code": "W", "weight": 10**7})[1]["code"] == 1264


def test_moves_count_what_changed():
    assert call("/moves", {"to": 1, "codes": ["P-2"], "status": "moving"})[1] == {"moved": 0, "failed": []}
    told = call("/moves", {"to": 99, "codes": ["P-2", "none"]})[1]
    assert told == {"moved": 0, "failed": [["P-2", 1452]]}
    assert call("/moves", {"to": 2, "codes": ["P-2"]})[1]["moved"] == 1


def test_depots_are_put_twice():
    assert call("/depots/Turku", {"capacity": 5}, "PUT")[1]["count"] == 1
    assert call("/depots/Turku", {"capacity": 6}, "PUT")[1]["count"] == 2
    assert call("/depots/Turku", {"capacity": 6}, "PUT")[1]["count"] == 0
