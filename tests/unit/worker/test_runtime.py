"""Entry points, settings, jobs, header fields: what needs no JavaScript."""

from __future__ import annotations

import ctypes
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from edgelift.worker import exchange, host, http_fields, jobs, runtime, wsgi
from edgelift.worker.cloudflare_host import from_cell, read_answer


@pytest.fixture
def module() -> Iterator[Any]:
    made: Any = types.ModuleType("origin_module")
    sys.modules["origin_module"] = made
    yield made
    del sys.modules["origin_module"]


def test_an_entry_names_an_object_or_a_call(module: Any) -> None:
    module.app = module.application = lambda: "app"
    module.make = lambda name="none", *, debug=False: lambda: (name, debug)
    module.inner = types.SimpleNamespace(app=module.app)
    assert runtime.load_app("origin_module:app") is module.app
    assert runtime.load_app("origin_module") is module.app
    assert runtime.load_app("origin_module:inner.app") is module.app
    assert runtime.load_app("origin_module:make()")() == ("none", False)
    assert runtime.load_app("origin_module:make('x', debug=True)")() == ("x", True)


@pytest.mark.parametrize(
    "entry", ["missing", "1 +", "make(name)", "a[0]", "inner.missing()", "none"]
)
def test_an_entry_that_names_nothing_is_refused(module: Any, entry: str) -> None:
    module.make, module.none = lambda name: name, None
    with pytest.raises(runtime.EntryError, match="entry"):
        runtime.load_app(f"origin_module:{entry}")


def test_what_a_factory_raises_goes_through(module: Any) -> None:
    module.make = lambda: None.missing  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="missing"):
        runtime.load_app("origin_module:make()")
    with pytest.raises(ModuleNotFoundError):
        runtime.load_app("no_such_module_here:app")


def test_database_urls_replace_what_the_environment_says() -> None:
    environment = {"DATABASE_URL": "sqlite:////home/me/app.db"}
    databases = [{"path": "/app/instance/x.db", "env": "DATABASE_URL"}, {"path": "/b"}]
    runtime.set_database_urls({"databases": databases}, environment)
    assert environment == {"DATABASE_URL": "sqlite:////app/instance/x.db"}


def test_jobs_by_name_of_their_cron(module: Any) -> None:
    module.ran = []
    module.tick = lambda: module.ran.append("tick")
    module.fails = lambda: 1 / 0
    declared = [
        {"name": "a", "schedule": "*/5  * * * *", "call": "origin_module:tick"},
        {"name": "b", "schedule": "*/5 * * * *", "call": "origin_module:fails"},
        {"name": "c", "schedule": "*/5 * * * *", "call": "origin_module:missing"},
        {"name": "d", "schedule": "0 0 * * *", "call": "origin_module:tick"},
    ]
    reports = jobs.run_due_jobs(declared, "*/5 * * * *", "wsgi", None)
    assert [(r["name"], r["ok"]) for r in reports] == [("a", True), ("b", False), ("c", False)]
    assert reports[1]["error"] == "ZeroDivisionError: division by zero"
    assert module.ran == ["tick"]


def test_a_job_of_the_schedule_library_by_function_or_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        """Do nothing."""

    planned = types.SimpleNamespace(job_func=work, tags={"nightly"})
    monkeypatch.setitem(sys.modules, "schedule", types.SimpleNamespace(jobs=[planned]))  # type: ignore[arg-type]
    assert jobs.find_job({"name": "work", "call": ""}) is work
    assert jobs.find_job({"name": "nightly", "call": ""}) is work
    with pytest.raises(jobs.JobNotFoundError, match="other"):
        jobs.find_job({"name": "other", "call": ""})


@pytest.mark.parametrize(
    ("origin", "parts"),
    [
        ("http://127.0.0.1:8787", ("http", "127.0.0.1", "8787")),
        ("https://example.com", ("https", "example.com", "443")),
        ("http://example.com", ("http", "example.com", "80")),
        ("http://[::1]:8787", ("http", "::1", "8787")),
        ("https://[::1]", ("https", "::1", "443")),
    ],
)
def test_origins(origin: str, parts: tuple[str, str, str]) -> None:
    assert exchange.split_origin(origin) == parts


def test_header_values_cross_as_the_bytes_they_are() -> None:
    for text in ("plain", "caf\u00e9 \u20ac"):
        native = http_fields.to_wsgi_text(text)
        assert native.encode("latin-1") == text.encode()
        assert http_fields.to_javascript_text(native) == text
    assert http_fields.to_javascript_text("caf\xe9") == "caf\xe9"
    assert http_fields.split_headers("") == []
    assert http_fields.split_headers("a\n1\na\n2") == [("a", "1"), ("a", "2")]


def test_answers_of_d1_in_the_drivers_form() -> None:
    answer = {"results": [{"a": 1, "b": [1, 255]}], "meta": {"changes": 0}}
    assert from_cell([1, 255]) == {"blob": "Af8="}
    assert read_answer(answer, "run") == '{"rows": [], "columns": [], "meta": {"changes": 0}}'
    assert (
        read_answer({"results": [{"j": "[1]"}, {"j": "[2]"}]}, "json")
        == '{"rows":[[1],[2]],"meta":{}}'
    )
    assert read_answer(answer, "") == (
        '{"rows": [[1, {"blob": "Af8="}]], "columns": ["a", "b"], "meta": {"changes": 0}}'
    )


class _Marked(bytes):
    """Bytes with attributes, as markup libraries have them."""


@pytest.mark.parametrize("data", [b"", b"x", b"\0caf\xc3\xa9" * 5000, _Marked(b"marked")])
def test_bytes_are_found_in_memory(data: bytes) -> None:
    address, size = host.locate_bytes(data)
    assert ctypes.string_at(address, size) == data
    assert host.locate_bytes(None) == (0, 0)


def test_an_answer_goes_to_the_host_as_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = []

    def reply(number: int, status: int, fields: str, address: int, size: int, stream: int) -> None:
        replies.append((number, status, fields, ctypes.string_at(address, size), stream))

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("201 Created", [("Content-Type", "text/plain"), ("Content-Length", "4")])
        return [environ["PATH_INFO"].encode(), environ["HTTP_X_ONE"].encode()]

    monkeypatch.setattr(runtime, "_reply", reply)
    monkeypatch.setattr(runtime, "_server", wsgi.WsgiServer(app))
    head = "GET\n/a\n\nhttp://h:1\nx-one\n12"
    runtime.handle(head, None, 7)
    assert replies == [(7, 201, "Content-Type\ntext/plain\nContent-Length\n4", b"/a12", 0)]
    # The same from the inbox, written as JavaScript does; what lay there before does not matter.
    address = runtime.locate_inbox()
    for earlier in ("x" * runtime.INBOX_BYTES, ""):
        written = (head + earlier)[: runtime.INBOX_BYTES].encode()
        ctypes.memmove(address, written, len(written))
        runtime.handle(len(head), None, 8)
    assert replies[1:] == [(8, *replies[0][1:])] * 2


def test_a_request_may_have_no_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(runtime, "_reply", lambda *_answer: None)
    monkeypatch.setattr(runtime, "answer", lambda *told: seen.append(told) or (200, "", None, 0))
    runtime.handle("PUT\n/\na=1&b\nhttp://h", b"x", 9)
    assert seen == [("PUT", "/", "a=1&b", "", b"x", "http://h", 9)]


def test_what_was_checked_once_is_checked_all_the_same() -> None:
    for _ in range(2):
        assert http_fields.check_status("204 No Content") == 204
        assert http_fields.check_name("X-Once") == "x-once"
        assert http_fields.check_value("X-Once", "\tcaf\xe9 ") == "caf\xe9"
        for wrong in ("20", "200 OK\r\n", "2000"):
            with pytest.raises(ValueError, match="Invalid status"):
                http_fields.check_status(wrong)
        with pytest.raises(ValueError, match="header name"):
            http_fields.check_name("X Once")
        with pytest.raises(ValueError, match="X-Once"):
            http_fields.check_value("X-Once", "a\nb")


def test_the_environ_of_one_request_is_no_part_of_the_next() -> None:
    request = exchange.Request("GET", "/", "", "x-a\n1\nx_a\n2\nx-a\n3", None, "http://h", 1)
    first = wsgi.build_environ(request)
    first["wsgi.run_once"] = "changed by the app"
    second = wsgi.build_environ(request._replace(headers=""))
    assert first["HTTP_X_A"] == "1,3"
    assert second["wsgi.run_once"] is False
    assert "HTTP_X_A" not in second
