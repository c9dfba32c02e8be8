import base64
import json

import pytest

from edgelift.errors import UsageError
from edgelift.model.inventory import Route
from edgelift.stages.verify.har import read_har

ROUTES = (
    Route(rule="/a/{id}", methods=("GET",), endpoint="a", parameters={"id": "string"}),
    Route(rule="/a/fixed", methods=("GET",), endpoint="fixed"),
    Route(rule="/f/{name}", methods=("GET",), endpoint="f", parameters={"name": "path"}),
)


def entry(url, method="GET", headers=(), post=None, content=None, answer=()):
    request = {
        "method": method,
        "url": url,
        "headers": [{"name": n, "value": v} for n, v in headers],
    }
    if post is not None:
        request["postData"] = post
    response = {
        "status": 200,
        "headers": [{"name": n, "value": v} for n, v in answer],
        "content": content or {},
    }
    return {"request": request, "response": response, "time": 1}


def write(tmp_path, *entries):
    file = tmp_path / "shop.har"
    file.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    return file


def test_requests_of_the_first_host_become_a_flow(tmp_path):
    file = write(
        tmp_path,
        entry(
            "https://shop.example/a/1?x=1",
            headers=[(":authority", "shop.example"), ("Host", "shop.example"), ("X-A", "1"),
                     ("Referer", "https://shop.example/"), ("Accept-Encoding", "gzip, br, zstd")],
        ),
        entry("https://cdn.example/font"),
        entry("https://shop.example", "POST", post={"mimeType": "text/plain", "text": "hällo"}),
    )  # fmt: skip
    flow = read_har(file, ROUTES)
    assert (flow.name, flow.source) == ("har:shop.har", "shop.har")
    first, second = flow.requests
    assert (first.method, first.target, first.rule) == ("GET", "/a/1?x=1", "/a/{id}")
    assert dict(first.headers) == {
        "X-A": "1",
        "Referer": "https://localhost/",
        "Accept-Encoding": "gzip",
    }
    assert (second.path, second.body) == ("/", "hällo".encode())


def test_replies_are_kept_decoded_and_bind_later_requests(tmp_path):
    token = "tok-aaaaaaaaaaaaaaaa"
    content = {
        "text": base64.b64encode(json.dumps({"t": token}).encode()).decode(),
        "encoding": "base64",
    }
    answer = [("Content-Type", "application/json"), ("Content-Encoding", "br")]
    file = write(
        tmp_path,
        entry("http://h/f/x/y.css", content=content, answer=answer),
        entry("http://h/a/fixed", headers=[("Authorization", f"Bearer {token}")]),
    )
    first, second = read_har(file, ROUTES).requests
    assert first.rule == "/f/{name}"
    assert second.rule == "/a/fixed"
    assert first.reply.headers == (("Content-Type", "application/json"),)
    assert second.bindings == (token,)


@pytest.mark.parametrize("text", ["", "{}", '{"log": {"entries": [{}]}}', "\0\1"])
def test_a_file_that_is_no_har_is_refused(tmp_path, text):
    file = tmp_path / "x.har"
    file.write_text(text)
    with pytest.raises(UsageError, match="is not a HAR file"):
        read_har(file, ROUTES)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_har(tmp_path / "none.har", ROUTES)


def test_an_empty_recording_is_an_empty_flow(tmp_path):
    assert read_har(write(tmp_path), ROUTES).requests == ()
