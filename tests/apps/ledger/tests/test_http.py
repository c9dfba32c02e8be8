"""The ledger's own HTTP tests: they know a URL and nothing else."""

import json
import os
import urllib.request

import pytest

URL = os.environ["LEDGER_URL"]


def call(method, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    if data:
        headers["Content-Type"] = "application/json"
    asked = urllib.request.Request(URL + path, data=data, method=method, headers=headers)
    with urllib.request.urlopen(asked) as reply:
        return reply.status, reply.headers, json.load(reply)


def test_items_are_listed():
    status, _, body = call("GET", "/api/items?page=2")
    assert status == 200 and [i["id"] for i in body["items"]] == [6, 7, 8, 9, 10]


def test_item_is_created_and_read():
    _, _, made = call("POST", "/api/items", {"name": "new"})
    assert call("GET", f"/api/items/{made['id']}")[2]["name"] == "new"


def test_order_needs_its_token():
    _, headers, made = call("POST", "/api/orders", {})
    cookie = headers["Set-Cookie"].partition(";")[0]
    token = {"Authorization": f"Bearer {made['token']}", "Cookie": cookie}
    _, _, read = call("GET", f"/api/orders/{made['order']}", **token)
    assert read == {"order": made["order"], "cookie": made["order"]}
    with pytest.raises(urllib.error.HTTPError, match="401"):
        call("GET", f"/api/orders/{made['order']}")
