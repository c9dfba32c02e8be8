"""The shop's own tests, against a running server."""

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
        return error.code, json.loads(error.read() or b"null") if error.code != 404 else None


def test_an_order_takes_from_the_stock():
    before = call("/products/2")[1]["stock"]
    status, order = call("/orders", {"customer": "Bo", "lines": [[2, 2]]})
    assert status == 201
    assert call("/products/2")[1]["stock"] == before - 2
    assert call(f"/orders/{order['id']}")[1] == {"customer": "Bo", "lines": [[2, 2]]}


def test_an_order_that_cannot_be_filled_leaves_nothing():
    before = call("/products")[1]
    assert call("/orders", {"customer": "Cy", "lines": [[1, 1], [3, 99]]})[0] == 409
    assert call("/products")[1] == before


def test_tags_and_totals():
    assert [p["name"] for p in call("/products?tag=steel")[1]] == ["Kettle"]
    assert "Mug" in call("/totals")[1]
