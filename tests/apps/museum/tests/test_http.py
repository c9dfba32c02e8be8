"""The museum's own HTTP tests: BASE_URL tells where it runs."""

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


def submit(browser, path, **fields):
    """Send a form with its CSRF token, and return the page that comes then."""
    page = browser.open(BASE + path).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    data = urllib.parse.urlencode({"csrfmiddlewaretoken": token, **fields}).encode()
    return browser.open(urllib.request.Request(BASE + path, data, {"Referer": BASE + path}))


def test_search_looks_at_case_where_it_should():
    for query, count in (
        ("words=gr%C3%B6%C3%9Fe", 1), ("words=ST%C3%9CCK", 7), ("exactly=work", 0), ("exactly=Work", 19),
        ("code=w-003", 1), ("pattern=^Work%201", 11), ("year=2024", 20),
    ):  # fmt: skip
        status, body = call("GET", f"/api/works?{query}")
        assert (status, query, len(body["works"])) == (200, query, count)


def test_order():
    for order in ("rating", "-rating", "made", "price", "-insured", "weight", "cleaned", "length", "room__number"):
        assert len(call("GET", f"/api/works?order={order}")[1]["works"]) == 20


def test_reports():
    for path in ("artists", "months", "rooms", "details", "plain"):
        assert call("GET", f"/api/{path}")[0] == 200
    assert call("GET", "/api/months")[1]["months"][0]["month"] == "2024-01-01T00:00:00+01:00"
    assert call("GET", "/api/details")[1]["key"][0] == "W-001"


def test_a_sale_is_made_once():
    status, body = call("POST", "/api/sales", {"code": "W-004", "paid": "12.345"})
    assert (status, body["work"]["status"], body["work"]["views"]) == (201, "sold", 2**40 + 5)
    assert body["work"]["price"] == "44.00"
    assert call("POST", "/api/sales", {"code": "W-004"})[0] == 409
    assert call("POST", "/api/sales", {"code": "W-005", "paid": "123456789012"})[0] == 409
    assert call("POST", "/api/sales", {"code": "none"})[0] == 404
    assert call("POST", "/api/sales", {"code": "W-007", "paid": "1"})[1]["work"]["code"] == "W-007"


def test_imports_update_what_is_known():
    works = [{"title": "New", "code": "I-1", "price": "5.5"}, {"title": "Other", "code": "W-002", "price": "7.25"}]
    status, body = call("POST", "/api/imports", {"works": works})
    assert (status, body["works"]) == (201, [{"code": "I-1", "price": "5.50", "status": "new"}])
    assert call("POST", "/api/imports", {"works": [{"code": "X" * 40, "price": 1}]})[0] == 409
    assert call("POST", "/api/imports", {"works": [{"code": "Y-1", "price": -1}]})[0] == 409


def test_visits_are_refused_one_by_one():
    status, body = call("POST", "/api/visits", {"emails": ["b@x.org", "b@x.org", "c@x.org"]})
    assert (status, body) == (201, {"noted": 2, "refused": 1})


def test_artists_go_when_nothing_is_left_of_them():
    assert call("POST", "/api/artists/4", {})[1] == {"deleted": 1}
    assert call("POST", "/api/artists/1", {})[0] == 404


def test_words():
    if call("GET", "/api/words")[0] != 404:  # on PostgreSQL
        assert call("GET", "/api/words")[1]["first"] == [2, 3, 4, 6]
        assert call("POST", "/api/words/2", {"words": ["a", "b"]})[1]["extra"]["changed"] == "2"
        assert call("GET", "/api/newest")[1]["newest"]


def test_the_visit_form_and_the_admin():
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    page = submit(browser, "/visits/new/", email="form@x.org", work="00000000-0000-0000-0000-000000000000", day="2024-08-01")
    assert "Select a valid choice" in page.read().decode()
    listed = submit(browser, "/admin/login/?next=/admin/gallery/work/", username="admin", password="correct horse")
    assert "20" in listed.read().decode()
    for path in ("/admin/gallery/work/?q=gr%C3%B6sse", "/admin/gallery/work/?on_show__exact=1", "/admin/gallery/artist/1/change/"):
        assert browser.open(BASE + path).status == 200
    submit(browser, "/admin/gallery/artist/add/", name="Admin's", born="1999-09-09", country="de")
