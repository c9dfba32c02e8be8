"""Requests through worker.mjs and the protocol: bodies, streams, aborts, errors, overlap, control."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import httpx
import pytest

from edgelift.targets.workerd import Worker

from .conftest import Client, Workshop, get, post

pytestmark = pytest.mark.workerd

APP = """
import json, os, random

def head(request):
    return 200, "content-type\\napplication/json", json.dumps([request.form, request.headers.get("x-a")]).encode()

def index(request):
    return 200, "content-type\\ntext/plain\\nset-cookie\\na=1\\nset-cookie\\nb=2", b"hello"

def echo(request):
    body = request.read()
    kind = "int" if isinstance(request.body, int) else "none" if request.body is None else "whole"
    told = request.body if kind == "int" else 0
    answer = {"method": request.method, "path": request.path, "query": request.query, "origin": request.origin,
              "size": len(body), "sum": sum(body) % 65521, "kind": kind, "told": told, "header": request.headers.get("x-a")}
    return 200, "content-type\\napplication/json", json.dumps(answer).encode()

def stream(request):
    return 200, "content-type\\ntext/plain", (f"{i}\\n".encode() for i in range(3))

def sized(request):
    return 200, "content-length\\n6", iter([b"abc", b"def"])

def broken(request):
    def parts():
        yield b"first"
        raise RuntimeError("half way")
    return 200, "", parts()

closed = []
def endless(request):
    def parts():
        try:
            while True:
                yield b"x" * 65536
        finally:
            closed.append(request.id)
    return 200, "", parts()

def closes(request):
    return 200, "", json.dumps(closed).encode()

def boom(request):
    raise RuntimeError("boom")

def empty(request):
    return 204, "x-a\\n1", b""

def variable(request):
    return 200, "", json.dumps([os.environ.get(request.query), random.random()]).encode()

waiting = 0
def wait(request):
    global waiting
    import gc, _edgelift_host
    from pyodide.ffi import run_sync
    assert not gc.isenabled()
    for _ in range(3):
        junk = [[] for _ in range(700)]
        for one in junk:
            one.append(one)
        run_sync(_edgelift_host.sleep(3))
    return 200, "", b"waited"

def posted(request):
    import _edgelift_host
    from js import Promise
    from pyodide.ffi import create_once_callable, run_sync
    from edgelift.worker import runtime
    order = []
    def start(resolve, reject):
        def last():
            order.append("late")
            resolve(None)
        runtime.callbacks[request.id * 10] = last
        runtime.callbacks[request.id * 10 + 1] = lambda: order.append("soon")
        _edgelift_host.post(request.id, 30, request.id * 10)
        _edgelift_host.post(request.id, 0, request.id * 10 + 1)
    run_sync(Promise.new(create_once_callable(start)))
    order.append(_edgelift_host.post(987654321, 0, 1))
    return 200, "", json.dumps(order).encode()

def hashes(request):
    import _edgelift_host
    from pyodide.ffi import to_js
    one = _edgelift_host.pbkdf2("sha256", to_js(b"password"), to_js(b"salt"), 2, 32).to_bytes()
    two = _edgelift_host.scrypt(to_js(b"password"), to_js(b"NaCl"), 1024, 8, 16, 64 * 1024 * 1024, 64).to_bytes()
    return 200, "", json.dumps([one.hex(), two.hex()]).encode()

def signature(request):
    import ctypes
    kind = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, ctypes.c_double, ctypes.c_longlong, ctypes.c_float)
    return 200, "", str(kind(lambda *_: 1.0)).encode()

def printed(request):
    print("a line for the log")
    return 200, "", b""
"""


@pytest.fixture(scope="module")
def worker(new_workshop: Callable[[str], Workshop]) -> Iterator[Worker]:
    shop = new_workshop(APP)
    with shop.start(shop.build(), env={"TOLD_LATER": "yes"}) as running:
        yield running


@pytest.fixture
def client(worker: Worker, connect: Callable[[Worker], Client]) -> Client:
    return connect(worker)


def test_a_plain_answer_keeps_its_length_and_repeated_headers(worker: Worker) -> None:
    answer = get(worker.url)
    assert (answer.status_code, answer.text) == (200, "hello")
    assert answer.headers["content-length"] == "5"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_path_and_query_arrive_raw(client: Client, worker: Worker) -> None:
    told = httpx.Response(
        200, content=client.send("/echo/a%20b%2Fc?x=%20&y", headers={"x-a": "v"}).body
    ).json()
    assert told["path"] == "/echo/a%20b%2Fc"
    assert told["query"] == "x=%20&y"
    assert told["origin"] == worker.url
    assert told["header"] == "v"
    assert told["kind"] == "none"


@pytest.mark.parametrize("size", [0, 1, 70_000, 1_048_576, 1_048_577, 5_000_000])
def test_bodies_arrive_whole_whatever_their_size(client: Client, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    told = httpx.Response(200, content=client.send("/echo", "POST", body).body).json()
    assert (told["size"], told["sum"]) == (size, sum(body) % 65521)
    assert told["kind"] == ("int" if size > 1_048_576 else "whole" if size else "none")
    assert told["told"] == (size if size > 1_048_576 else 0)


@pytest.mark.parametrize(
    ("value", "form"), [("short", "letters"), ("caf\u00e9", "text"), ("long" * 200, "text")]
)
def test_heads_arrive_whole_whatever_is_in_them(worker: Worker, value: str, form: str) -> None:
    answer = httpx.get(worker.url + "/head", headers={"x-a": value.encode()})
    assert answer.json() == [form, value]


def test_a_chunked_body_is_read_piece_by_piece(worker: Worker) -> None:
    told = post(f"{worker.url}/echo", content=iter([b"ab", b"cd"])).json()
    assert (told["size"], told["kind"], told["told"]) == (4, "int", -1)


def test_a_streamed_answer_arrives_in_order(client: Client) -> None:
    answer = client.send("/stream")
    assert answer.body == b"0\n1\n2\n"
    assert "content-length" not in answer.headers


def test_a_streamed_answer_keeps_a_length_the_app_told(client: Client) -> None:
    answer = client.send("/sized")
    assert (answer.headers["content-length"], answer.body) == ("6", b"abcdef")


def test_an_iterator_that_raises_breaks_the_connection_and_is_logged(worker: Worker) -> None:
    with pytest.raises(httpx.HTTPError):
        get(f"{worker.url}/broken")
    assert "half way" in worker.read_log_tail()
    assert get(worker.url).status_code == 200


def test_a_client_that_leaves_closes_the_iterator(worker: Worker) -> None:
    with socket.create_connection(("127.0.0.1", worker.port)) as raw:
        raw.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 200")
    for _ in range(500):  # each turn is a request: the worker, not a clock, moves this forward
        if get(f"{worker.url}/closes").json():
            break
    assert len(get(f"{worker.url}/closes").json()) == 1


def test_an_exception_is_a_500_with_the_traceback_in_the_log_only(worker: Worker) -> None:
    answer = get(f"{worker.url}/boom")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error\n")
    assert "RuntimeError: boom" in worker.log.read_text()
    assert 'File "/app/app.py"' in worker.log.read_text()


def test_statuses_without_a_body_and_head(client: Client) -> None:
    answer = client.send("/empty")
    assert (answer.status, answer.body, answer.headers["x-a"]) == (204, b"", "1")
    head = client.send("/", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert client.send("/").body == b"hello"


def test_variables_come_at_start_and_randomness_is_fresh(worker: Worker) -> None:
    value, number = get(f"{worker.url}/variable?TOLD_LATER").json()
    assert value == "yes"
    assert number != get(f"{worker.url}/variable?TOLD_LATER").json()[1]


def test_requests_that_wait_overlap(worker: Worker) -> None:
    import asyncio

    async def load() -> list[int]:
        async with httpx.AsyncClient() as client:
            answers = await asyncio.gather(*(client.get(f"{worker.url}/wait") for _ in range(48)))
        return [answer.status_code for answer in answers]

    assert asyncio.run(load()) == [200] * 48


def test_posted_callbacks_run_in_order_of_their_time(worker: Worker) -> None:
    assert get(f"{worker.url}/posted").json() == ["soon", "late", False]


def test_node_crypto_gives_the_published_test_vectors(worker: Worker) -> None:
    # RFC 6070 in its SHA-256 form (2 iterations); RFC 7914 section 12.
    pbkdf2, scrypt = get(f"{worker.url}/hashes").json()
    assert pbkdf2 == "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"
    assert scrypt.startswith("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162")


def test_a_wasm_module_the_build_did_not_record_is_named_in_the_log(worker: Worker) -> None:
    assert get(f"{worker.url}/signature").status_code == 500
    log = worker.log.read_text()
    assert "asked for at run time that the build did not record (0061736d" in log
    assert "ctypes callback with a new signature" in log


def test_print_goes_to_the_log(worker: Worker) -> None:
    get(f"{worker.url}/printed")
    assert "a line for the log" in worker.log.read_text()


def test_control_answers_and_refuses_without_the_token(worker: Worker, client: Client) -> None:
    assert client.send("/").status == 200
    info = worker.info()
    assert info["booted"]
    assert info["snapshot"]
    assert info["wasm_bytes"] > 0
    assert worker.run_scheduled("*/5 * * * *")["jobs"][0]["name"] == "*/5 * * * *"
    guessed = client.send("/", headers={"x-edgelift-control": "guess:info"})
    assert guessed.body == b"hello"
