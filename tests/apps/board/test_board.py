import json
import os
from urllib.error import HTTPError
from urllib.request import Request, urlopen

URL = os.environ.get("BASE_URL", "http://127.0.0.1:8000")


def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    asked = Request(URL + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urlopen(asked) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except HTTPError as error:
        return error.code, None


def test_notices_are_found_by_author():
    status, found = ask("GET", "/notices?author=asa")
    assert status == 200
    assert {"A bicycle, green", "Found: one glove"} <= {notice["body"] for notice in found}


def test_a_notice_lives():
    status, made = ask("POST", "/notices", {"author": "cem", "body": "A chair"})
    assert (status, made["likes"], made["open"]) == (201, 0, True)
    assert ask("POST", "/notices", {"author": "cem", "body": "A chair"})[0] == 409
    assert ask("PUT", f"/notices/{made['id']}/like")[0] == 200
    assert ask("GET", f"/notices/{made['id']}")[1]["likes"] == 1
    assert ask("DELETE", f"/notices/{made['id']}")[0] == 204
    assert ask("GET", f"/notices/{made['id']}")[0] == 404
