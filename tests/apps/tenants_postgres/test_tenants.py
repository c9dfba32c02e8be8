"""The firms' own tests, against a running server."""

import json
import os
from urllib.error import HTTPError
from urllib.request import Request, urlopen

BASE = os.environ["BASE_URL"]


def call(tenant, path, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "X-Tenant": tenant}
    try:
        with urlopen(Request(BASE + path, data, headers, method=method), timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except HTTPError as error:
        return error.code, json.loads(error.read()) if error.code == 409 else None


def test_each_firm_sees_its_own():
    for number in range(1, 10):
        assert call(f"firm-{number}", "/me")[1][0] == f"Firm {number}"
        projects = call(f"firm-{number}", "/projects")[1]
        assert len(projects) >= 3
        assert call(f"firm-{number}", "/count") == (200, {"count": 30})
    mine = call("firm-1", "/projects")[1][0]["id"]
    assert call("firm-1", f"/projects/{mine}")[0] == 200
    assert call("firm-2", f"/projects/{mine}")[0] == 404


def test_numbers_go_on_over_all_firms():
    made = []
    for number in (1, 2, 3, 4, 5):
        firm = f"firm-{number}"
        status, project = call(firm, "/projects", {"title": "New", "budget": 12.5})
        assert status == 201
        path = f"/projects/{project['id']}"
        made += [project["id"], call(firm, f"{path}/tasks", {"title": "one"})[1]["id"]]
        assert [task["title"] for task in call(firm, path)[1]["tasks"]] == ["one"]
    assert made[::2] == sorted(set(made[::2]))
    assert made[1::2] == sorted(set(made[1::2]))
    assert call("firm-1", "/projects", {"title": "New"})[0] == 409
    assert call("firm-6", "/projects", {"title": "New"})[0] == 201


def test_work_is_done_and_deleted():
    project = call("firm-7", "/projects")[1][0]["id"]
    task = call("firm-7", f"/projects/{project}")[1]["tasks"][0]["id"]
    path = f"/projects/{project}/tasks/{task}/done"
    assert call("firm-7", path, {"minutes": 5})[1]["done"] is True
    assert call("firm-8", path, {"minutes": 5})[0] == 404
    before = call("firm-7", "/work")[1]
    assert call("firm-7", f"/projects/{project}", method="DELETE")[0] == 204
    after = call("firm-7", "/work")[1]
    assert [row for row in before if row[0] != project] == after
