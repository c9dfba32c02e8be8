"""The dashboard, static files, health, compression and odd requests."""

import gzip
import re
from html import unescape

import pytest
from conftest import assert_error


def test_health(api):
    response = api.get("/health")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "database": "ok",
        "model": "isolation-forest-2025.09",
        "version": "1.4.0",
    }


def test_dashboard(api):
    response = api.get("/")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>Token anomaly detector</h1>" in response.text
    assert 'name="viewport"' in response.text
    assert len(re.findall(r'<tr data-id="\d+"', response.text)) == 15
    assert len(re.findall(r"<option", response.text)) == 11


def test_dashboard_shows_the_numbers_of_the_api(api):
    stats = api.get("/api/stats").json()
    page = api.get("/").text
    assert '<b id="tokens-total">5,200</b>' in page
    total = int(re.search(r'id="predictions-total">([\d,]+)<', page)[1].replace(",", ""))
    assert total >= stats["predictions"]["total"]


def test_dashboard_shows_the_oddest_tokens(api):
    page = unescape(api.get("/").text)
    scores = [float(s) for s in re.findall(r'class="number">(0\.\d{3})<', page)]
    assert len(scores) == 15
    assert scores == sorted(scores, reverse=True)


def test_dashboard_loads_nothing_from_elsewhere(api):
    page = api.get("/").text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)


@pytest.mark.parametrize(
    ("name", "mimetype", "text"),
    [
        ("dashboard.css", "text/css", "prefers-color-scheme"),
        ("dashboard.js", "text/javascript", "setInterval"),
        ("charts.js", "text/javascript", "histogram"),
        ("icon.svg", "image/svg+xml", "<svg"),
    ],
)
def test_static_files(api, name, mimetype, text):
    response = api.get(f"/static/{name}")
    assert response.status_code == 200
    assert response.headers["Content-Type"].split(";")[0] == mimetype
    assert text in response.text
    assert f"/static/{name}" in api.get("/").text


def test_static_files_can_be_revalidated(api):
    first = api.get("/static/dashboard.css")
    again = api.get("/static/dashboard.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_missing_static_file(api):
    assert api.get("/static/nothing.css").status_code == 404


@pytest.mark.parametrize("path", ["/", "/api/stats", "/api/tokens"])
def test_compressed_for_those_who_accept_it(api, path):
    response = api.get(path, headers={"Accept-Encoding": "gzip"}, stream=True)
    packed = response.raw.read()
    assert response.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in response.headers["Vary"]
    assert packed[:4] == b"\x1f\x8b\x08\x00"
    assert packed[4:8] == b"\0\0\0\0"  # no time stamp
    plain = api.get(path)
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert len(packed) < len(gzip.decompress(packed))


@pytest.mark.parametrize("accepted", ["gzip, deflate, br", "gzip;q=0.5", "*"])
def test_other_ways_to_accept(api, accepted):
    response = api.get("/api/tokens?per_page=50", headers={"Accept-Encoding": accepted})
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(response.json()["items"]) == 50


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "br", "deflate"])
def test_not_compressed(api, accepted):
    response = api.get("/api/tokens?per_page=50", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in response.headers
    assert len(response.json()["items"]) == 50


def test_same_answer_compresses_to_the_same_bytes(api):
    packed = {
        api.get(
            "/api/tokens?sort=name&per_page=20&q=zażółć",
            headers={"Accept-Encoding": "gzip"},
            stream=True,
        ).raw.read()
        for _ in range(2)
    }
    assert len(packed) == 1


def test_small_answers_and_images_stay_as_they_are(api):
    headers = {"Accept-Encoding": "gzip"}
    assert "Content-Encoding" not in api.get("/health", headers=headers).headers
    assert "Content-Encoding" not in api.get("/api/tokens/18/logo", headers=headers).headers


def test_json_is_utf8_and_compact(api):
    response = api.get("/api/tokens/13")
    assert response.headers["Content-Type"] == "application/json"
    assert "👩‍🚀👩🏽‍🚀".encode() in response.content
    assert b'": ' not in response.content
    assert response.content.endswith(b"}\n")


@pytest.mark.parametrize("path", ["/nope", "/api", "/api/tokens/1/nope", "/predict", "/predict/1/2", "/%F0%9F%9A%80"])
def test_unknown_paths(api, path):
    assert_error(api.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/api/tokens/1"), ("POST", "/"), ("PUT", "/health"), ("GET", "/api/refresh")],
)
def test_wrong_methods(api, method, path):
    response = api.request(method, path)
    assert_error(response, 405, "method_not_allowed")
    assert method not in response.headers["Allow"]


def test_options(api):
    response = api.request("OPTIONS", "/api/tokens/1")
    assert response.status_code == 200
    assert {m.strip() for m in response.headers["Allow"].split(",")} == {
        "GET", "HEAD", "OPTIONS", "PATCH",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/", "/health", "/api/stats", "/api/tokens"])
def test_head(api, path):
    response = api.request("HEAD", path)
    assert (response.status_code, response.content) == (200, b"")
