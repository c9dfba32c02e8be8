"""The repair shop's own tests, against a running server."""

import json
import os
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

BASE = os.environ["BASE_URL"]
ASA = "3f0b5f2e-0000-4000-8000-000000000001"


def call(path, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = Request(BASE + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except HTTPError as error:
        return error.code, json.loads(error.read()) if error.code == 409 else None


def names(path):
    return [customer["name"] for customer in call(path)[1]]


def test_customers_are_found():
    assert names("/customers?q=B") == ["bob Stone", "Åsa Berg"] or set(
        names("/customers?q=B")
    ) == {"bob Stone", "Åsa Berg"}
    assert names("/customers?language=sv") == ["Åsa Berg"]
    customer, jobs = call(f"/customers/{ASA}")[1]
    assert customer["phones"] == ["+46-1", "+46-2"]
    assert customer["prefers"]["contact"]["hours"] == [9, 17]
    assert jobs == [1, 3]


def test_a_known_email_is_refused_and_the_next_one_is_not():
    assert call("/customers", {"name": "Bo", "email": "bob@example.org"})[0] == 409
    new = {"name": "Bo", "email": "bo@example.org", "prefers": {"zone": 1.50, "a": "ö"}}
    status, made = call("/customers", new)
    assert (status, made["prefers"]) == (201, {"zone": 1.5, "a": "ö"})


def test_parts_by_array_case_and_document():
    assert [p["sku"] for p in call("/parts?fits=phone")[1]] == ["BAT-2", "SCR-1"]
    assert [p["sku"] for p in call("/parts?title=" + quote("C"))[1]] == []
    assert [p["sku"] for p in call("/parts?title=c")[1]] == ["CAB-3"]
    assert [p["sku"] for p in call("/parts?title=" + quote("Key%_"))[1]] == ["KEY-4"]
    assert [p["sku"] for p in call("/parts?spec=mah")[1]] == ["BAT-2"]


def test_a_part_is_put_twice():
    part = {"title": "Fan", "price": "12.10", "stock": 3, "fits": ["laptop"], "specs": {"mm": 40}}
    assert call("/parts/FAN-9", part, "PUT")[1] == {"title": "Fan", "price": "12.10", "stock": 3}
    part["price"] = "13"
    assert call("/parts/FAN-9", part, "PUT")[1] == {"title": "Fan", "price": "13.00", "stock": 6}


def test_a_job_takes_its_parts_or_leaves_nothing():
    before = call("/parts")[1]
    asked = {"customer": ASA, "device": "Radio", "parts": [["BAT-2", 2], ["CAB-3", 1]]}
    assert call("/jobs", asked)[0] == 409
    assert call("/parts")[1] == before
    asked["parts"] = [["BAT-2", 2], ["SCR-1", 1]]
    status, made = call("/jobs", asked)
    assert (status, made["parts"]) == (201, 2)
    job = call(f"/jobs/{made['id']}")[1]
    assert sorted(job["parts"]) == [["BAT-2", 2, "24.50"], ["SCR-1", 1, "89.90"]]
    worked = call(f"/jobs/{made['id']}/work", {"minutes": 90, "status": "done"})[1]
    assert (worked["worked_s"], worked["status"]) == (5400.0, "done")
    assert call(f"/jobs/{made['id']}", method="DELETE")[0] == 204
    assert call(f"/jobs/{made['id']}")[0] == 404


def test_jobs_are_ordered_by_status_and_due():
    assert [job["id"] for job in call("/jobs?since=2024-01-01")[1]][:3] == [2, 1, 3]
    assert [job["id"] for job in call("/jobs?status=in_work")[1]] == [1]
    assert call("/jobs/1")[1]["received_at"].startswith("2024-03-01T08:30:00")


def test_reports():
    assert ["SCR-1", 1, "89.90"] in call("/reports/parts")[1]
    report = {row["name"]: row for row in call("/reports/customers")[1]}
    assert report["Åsa Berg"]["done"] >= 1
    assert ["CAB-3", "5.00", False] in call("/reports/shelf")[1]
