import http.client
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from edgelift.model.inventory import Route
from edgelift.stages.verify.client import Client
from edgelift.stages.verify.recording import record
from edgelift.stages.verify.replay import replay_flow
from tests.unit.verify.replies import ask

ROUTES = (Route(rule="/a/{x}", methods=("GET",), endpoint="a", parameters={"x": "string"}),)


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list

    def log_message(self, *_):
        pass

    def reply(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append((self.command, self.path, dict(self.headers), body))
        if self.path.startswith("/drop"):
            self.close_connection = True
            return
        self.send_response(204 if self.path == "/empty" else 200)
        self.send_header("X-Twice", "1")
        self.send_header("X-Twice", "2")
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in (b"ab", b"c"):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/stream":
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"data: 1\n\n")
            self.wfile.flush()
            self.server.hold.wait()
        elif self.path == "/empty":
            self.end_headers()
        else:
            self.send_header("Content-Length", str(len(body) + 2))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"=>" + body)

    do_GET = do_POST = do_HEAD = do_PUT = reply  # noqa: N815 - the names the base looks up


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


@pytest.fixture
def server():
    Echo.seen = []
    with Server(("127.0.0.1", 0), Echo) as running:
        running.hold = threading.Event()
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.hold.set()
        running.shutdown()
        thread.join()


def send(url, *requests):
    with Client(url) as client:
        return [client.send(request) for request in requests]


def test_requests_are_sent_exactly_as_written(server):
    odd = ask(
        "/a%20b//../%2F", query="x=%zz&&", method="PUT", body=b"body", headers=(("X-A", "ü"),)
    )
    (reply,) = send(server, odd)
    method, path, headers, body = Echo.seen[0]
    assert (method, path, body) == ("PUT", "/a%20b//../%2F?x=%zz&&", b"body")
    assert headers == {"Host": "localhost", "X-A": "ü", "Content-Length": "4"}
    assert reply.body == b"=>body"
    assert reply.values("x-twice") == ["1", "2"]


def test_heads_empty_replies_and_chunks_are_read(server):
    head, empty, chunks, get = send(
        server, ask("/h", method="HEAD"), ask("/empty"), ask("/chunks"), ask("/g")
    )
    assert (head.status, head.body, head.value("content-length")) == (200, b"", "2")
    assert (empty.status, empty.body, chunks.body, get.body) == (204, b"", b"abc", b"=>")


def test_a_dropped_connection_is_told_and_the_next_request_goes_on(server):
    dropped, after = send(server, ask("/drop"), ask("/g"))
    assert dropped.status == 0
    assert dropped.error
    assert after.status == 200
    assert [path for _, path, _, _ in Echo.seen] == ["/drop", "/g"]


def test_only_what_may_be_repeated_is_sent_again_on_a_connection_that_broke(server):
    send(server, ask("/g"), ask("/drop-get"), ask("/g"), ask("/drop-post", method="POST"))
    asked = [path for _, path, _, _ in Echo.seen]
    assert asked == ["/g", "/drop-get", "/drop-get", "/g", "/drop-post"]


def test_an_endless_stream_is_read_until_it_is_quiet(server):
    stream, after = send(server, ask("/stream"), ask("/g"))
    assert (stream.body, stream.cut, after.status) == (b"data: 1\n\n", True, 200)


def test_a_server_that_is_not_there_is_an_error():
    with socketserver.TCPServer(("127.0.0.1", 0), None) as taken:
        port = taken.server_address[1]
    (reply,) = send(f"http://127.0.0.1:{port}", ask("/"))
    assert "refused" in reply.error.lower()


def test_the_proxy_records_in_order_and_writes_itself_as_localhost(server):
    with record(server) as (url, recorder):
        port = urlsplit(url).port
        client = http.client.HTTPConnection("127.0.0.1", port)
        client.request("GET", f"/a/1?next={url}", headers={"Accept-Encoding": "gzip, br;q=0.9"})
        assert client.getresponse().read() == b"=>"
        client.request("POST", "/b", body=iter([b"two ", b"parts"]), encode_chunked=True)
        answer = client.getresponse()
        assert answer.read() == b"=>two parts"
        assert answer.headers.get_all("X-Twice") == ["1", "2"]
        client.request("GET", "/chunks")
        assert client.getresponse().read() == b"abc"
        client.request("HEAD", "/h")
        assert client.getresponse().headers["Content-Length"] == "2"
        client.close()
        flow = recorder.build_flow("tests", f"127.0.0.1:{port}", ROUTES)
    assert [r.label for r in flow.requests] == [
        "GET /a/1?next=http://localhost", "POST /b", "GET /chunks", "HEAD /h",
    ]  # fmt: skip
    first, second, third, _ = flow.requests
    assert first.rule == "/a/{x}"
    assert dict(first.headers)["Accept-Encoding"] == "gzip"
    assert second.body == b"two parts"
    assert second.reply.body == b"=>two parts"
    assert third.reply.body == b"abc"


def test_the_proxy_passes_a_dropped_connection_on(server):
    with record(server) as (url, recorder):
        (reply,) = send(url, ask("/drop"))
        assert reply.error
        flow = recorder.build_flow("tests", "", ROUTES)
    assert flow.requests[0].reply.error


def test_a_recorded_flow_replays_and_asks_whether_the_server_lives(server):
    with record(server) as (url, recorder):
        send(url, ask("/a/1"))
        send(url, ask("/drop"))
        flow = recorder.build_flow("tests", "", ROUTES)
    asked, steps = [], []
    replies = replay_flow(flow, server, lambda: asked.append(1), steps.append)
    assert [r.status for r in replies] == [200, 0]
    assert (set(asked), steps) == ({1}, [1, 2])
