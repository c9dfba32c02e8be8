"""A Flask app on the adapter in workerd: requests and answers of every kind, jobs, randomness, password hashes."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from .conftest import Lifted

pytestmark = pytest.mark.workerd


def test_environ(flask_app: Lifted) -> None:
    answer = flask_app.get(
        "/environ?a=%20b", headers={"x-name": "caf\u00e9".encode(), "cf-connecting-ip": "192.0.2.7"}
    ).json()
    port = str(flask_app.worker.port)
    assert answer["REMOTE_ADDR"] == "192.0.2.7"
    assert (answer["SERVER_NAME"], answer["SERVER_PORT"]) == ("127.0.0.1", port)
    assert answer["HTTP_HOST"] == f"127.0.0.1:{port}"
    assert answer["RAW_URI"] == "/environ?a=%20b"
    assert answer["HTTP_X_NAME"] == "caf\u00c3\u00a9"


def test_bodies(flask_app: Lifted) -> None:
    for size in (0, 1, 1_048_576, 1_048_577, 5_000_000):
        data = hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1)
        answer = flask_app.client.post("/echo", content=data[:size])
        assert answer.content == data[:size]
        assert answer.headers["content-length"] == str(size)


def test_a_chunked_body(flask_app: Lifted) -> None:
    parts = [bytes([n]) * 70_000 for n in range(20)]
    answer = flask_app.client.put("/echo", content=iter(parts))
    assert answer.content == b"".join(parts)


def test_an_upload(flask_app: Lifted) -> None:
    data = b"\0\xff\r\n" * 500_000
    answer = flask_app.client.post("/upload", files={"file": ("a b.bin", data)}, data={"k": "v"})
    assert answer.json() == {
        "name": "a b.bin",
        "size": len(data),
        "sha": hashlib.sha256(data).hexdigest(),
        "form": {"k": "v"},
    }


def test_headers(flask_app: Lifted) -> None:
    answer = flask_app.client.head("/echo")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
    assert answer.headers["content-length"] == "0"
    raw = {name.lower(): value for name, value in flask_app.get("/header").headers.raw}
    assert raw[b"x-utf8"] == "caf\xe9 \u20ac".encode()
    assert raw[b"x-latin"] == "caf\xe9".encode()  # gunicorn: one byte; workerd knows only UTF-8


@pytest.mark.parametrize("code", [204, 304, 404, 418, 500])
def test_statuses(flask_app: Lifted, code: int) -> None:
    answer = flask_app.get(f"/status/{code}")
    assert answer.status_code == code
    assert answer.content == (b"" if code in {204, 304} else b"body")


def test_cookies_carry_the_session(flask_app: Lifted) -> None:
    with httpx.Client(base_url=flask_app.worker.url, timeout=60) as client:
        assert [client.get("/session").json() for _ in range(3)] == [1, 2, 3]


def test_a_large_answer_streams_with_its_length(flask_app: Lifted) -> None:
    answer = flask_app.get("/large")
    assert answer.headers["content-length"] == "3000000"
    assert answer.content == b"x" * 3_000_000


def test_errors_are_logged_and_answered(flask_app: Lifted) -> None:
    assert flask_app.get("/boom").status_code == 500
    assert "RuntimeError: boom on purpose" in flask_app.worker.log.read_text()
    answer = flask_app.get("/exit")
    assert (answer.status_code, "Internal Server Error" in answer.text) == (500, True)
    assert flask_app.get("/plain").text == "plain"


def test_an_error_on_the_way_breaks_the_answer(flask_app: Lifted) -> None:
    with pytest.raises(httpx.HTTPError):
        flask_app.get("/break")
    assert flask_app.get("/plain").text == "plain"


def test_a_client_that_leaves_closes_the_stream(flask_app: Lifted) -> None:
    with flask_app.client.stream("GET", "/endless") as answer:
        next(answer.iter_bytes())
    for _ in range(200):
        if "closed" in flask_app.get_json("/started"):
            return
        flask_app.get("/session")
    pytest.fail("the generator was not closed")


def test_jobs(flask_app: Lifted) -> None:
    report = flask_app.worker.run_scheduled("*/5 * * * *")["jobs"]
    assert [(job["name"], job["ok"]) for job in report] == [("declared", True), ("ticker", True)]
    ran, running, ids = flask_app.get_json("/ran")
    assert ran == [["declared", "app"], ["recorded", "tick"]]
    assert (running, ids) == (True, ["ticker"])


def test_jobs_that_fail_are_reported(flask_app: Lifted) -> None:
    report = flask_app.worker.run_scheduled("0 0 * * *")["jobs"]
    assert [(job["ok"], job["error"]) for job in report] == [
        (False, "ValueError: no luck"),
        (
            False,
            "edgelift.worker.jobs.JobNotFoundError: no scheduler of the app has a job 'unknown'",
        ),
    ]
    assert flask_app.worker.run_scheduled("1 1 1 1 1") == {"jobs": []}


def test_randomness_is_fresh(flask_app: Lifted) -> None:
    first, second = flask_app.get_json("/random"), flask_app.get_json("/random")
    assert all(first[name] != second[name] for name in first)


def test_key_derivation(flask_app: Lifted) -> None:
    # RFC 7914 sections 11 and 12.
    answer = flask_app.get_json("/hash")
    assert answer["pbkdf2"].startswith("55ac046e56e3089fec1691c22544b605")
    assert answer["scrypt"].startswith("7023bdcb3afd7348461c06cd81fd38eb")
