"""The hosted model, against a stand-in server that speaks Replicate's predictions API."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import build_app

from anomaly.hosted import HostedModel, HostedModelError

ROW = [5.2, 5.5, 0.12, 0.01, 3.0, 2.6, 0.3, -0.3]


class StandIn(ThreadingHTTPServer):
    """Scores every row 0.25; `mode` makes it misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.mode = "ok"
        self.requests: list[tuple[str, dict[str, str], dict]] = []
        self.polls = 0
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: StandIn

    def log_message(self, *args: object) -> None:
        """Be quiet."""

    def answer(self, status: int, body: object) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def prediction(self, status: str, rows: int) -> dict:
        return {
            "id": "p1",
            "status": status,
            "error": "out of memory" if status == "failed" else None,
            "output": {"scores": [0.25] * rows} if status == "succeeded" else None,
            "urls": {"get": f"{self.server.url}/v1/predictions/p1"},
        }

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, dict(self.headers), body))
        self.server.rows = rows = len(body["input"]["rows"])
        mode = self.server.mode
        if mode == "slow":
            self.server.release.wait(10)
        elif mode.isdigit():
            self.answer(int(mode), {"detail": "no"})
        elif mode == "garbage":
            self.answer(200, b"<html>")
        elif mode == "short":
            self.answer(201, self.prediction("succeeded", rows - 1))
        elif mode == "range":
            self.answer(201, {"status": "succeeded", "output": {"scores": [7.0] * rows}})
        elif mode in {"polled", "stuck"}:
            self.answer(201, self.prediction("starting", rows))
        else:
            self.answer(201, self.prediction("failed" if mode == "failed" else "succeeded", rows))

    def do_GET(self) -> None:
        self.server.polls += 1
        ready = self.server.mode == "polled" and self.server.polls >= 3
        self.answer(200, self.prediction("succeeded" if ready else "processing", self.server.rows))


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


def make_client(stand_in: StandIn, timeout_s: float = 5.0) -> HostedModel:
    return HostedModel(stand_in.url, "secret-token", "m:1", timeout_s)


def test_request_has_replicates_shape(stand_in):
    assert make_client(stand_in).score([ROW, ROW]) == [0.25, 0.25]
    path, headers, body = stand_in.requests[0]
    assert path == "/v1/predictions"
    assert headers["Authorization"] == "Bearer secret-token"
    assert headers["Prefer"] == "wait"
    assert body == {"version": "m:1", "input": {"rows": [ROW, ROW]}}


def test_prediction_that_starts_cold_is_polled(stand_in):
    stand_in.mode = "polled"
    assert make_client(stand_in).score([ROW]) == [0.25]
    assert stand_in.polls == 3


@pytest.mark.parametrize(
    "mode", ["500", "503", "429", "401", "422", "garbage", "failed", "short", "range"]
)
def test_trouble_is_one_kind_of_error(stand_in, mode):
    stand_in.mode = mode
    with pytest.raises(HostedModelError):
        make_client(stand_in).score([ROW])


@pytest.mark.parametrize("mode", ["slow", "stuck"])
def test_timeout(stand_in, mode):
    stand_in.mode = mode
    with pytest.raises(HostedModelError):
        make_client(stand_in, timeout_s=0.5).score([ROW])


def test_nobody_listens():
    with pytest.raises(HostedModelError):
        HostedModel("http://127.0.0.1:9", "t", "m:1", 2.0).score([ROW])


@pytest.fixture
def hosted_client(stand_in, tmp_path):
    app = build_app(
        tmp_path / "hosted.db",
        REPLICATE_API_TOKEN="secret-token",
        REPLICATE_BASE_URL=stand_in.url,
        REPLICATE_MODEL_VERSION="m:1",
        REPLICATE_TIMEOUT_S=0.5,
    )
    return app.test_client()


def test_app_asks_the_hosted_model_first(hosted_client):
    body = hosted_client.get("/predict/1").json
    assert (body["score"], body["model"], body["source"]) == (0.25, "replicate/m:1", "hosted")
    model = hosted_client.get("/api/stats").json["model"]
    assert (model["primary"], model["hosted_ok"], model["hosted_failed"]) == ("replicate/m:1", 1, 0)


@pytest.mark.parametrize("mode", ["500", "slow", "failed"])
def test_app_falls_back_and_counts(hosted_client, stand_in, mode):
    stand_in.mode = mode
    body = hosted_client.get("/predict/1").json
    assert body["source"] == "fallback"
    assert body["model"] == "isolation-forest-2025.09"
    model = hosted_client.get("/api/stats").json["model"]
    assert (model["hosted_ok"], model["hosted_failed"], model["fallback_ratio"]) == (0, 1, 1.0)


def test_fallback_score_is_the_local_models(hosted_client, stand_in, client):
    stand_in.mode = "500"
    fallback = hosted_client.get("/predict/3").json
    local = client.get("/predict/4").json
    assert fallback["score"] == pytest.approx(local["score"], abs=0.05)
    assert local["source"] == "local"


def test_hosted_model_gets_one_call_for_a_batch(hosted_client, stand_in):
    hosted_client.post(
        "/predict/batch",
        json={"token_ids": list(range(1, 21))},
        headers={"X-API-Key": "unit-test-key"},
    )
    assert len(stand_in.requests) == 1
    assert len(stand_in.requests[0][2]["input"]["rows"]) == 20
