"""Statistics, the live feed, the refresh and rate limits."""

import json
import time

import pytest
from conftest import LIMITED_KEY, Api, assert_error


def read_messages(response):
    """Parse a whole stream of server-sent events."""
    for block in response.content.decode("utf-8").split("\n\n"):
        if block:
            yield dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))


def test_stats_add_up(api):
    stats = api.get("/api/stats").json()
    assert list(stats) == [
        "tokens", "predictions", "chains", "cache", "model", "distribution", "last_refresh",
    ]  # fmt: skip
    assert stats["tokens"]["total"] == 5200
    assert 5187 <= stats["tokens"]["scored"] == sum(stats["tokens"]["labels"].values())
    assert sum(bucket["tokens"] for bucket in stats["distribution"]) == stats["tokens"]["scored"]
    for label in ("anomalous", "suspicious"):
        counted = sum(bucket[label] for bucket in stats["distribution"])
        assert counted == stats["tokens"]["labels"][label]
    assert sum(chain["tokens"] for chain in stats["chains"]) == 5200
    assert stats["predictions"]["total"] >= 108887


def test_stats_ratios(api):
    stats = api.get("/api/stats").json()
    cache = stats["cache"]
    assert cache["hit_ratio"] == round(cache["hits"] / (cache["hits"] + cache["misses"]), 6)
    model = stats["model"]
    total = model["hosted_ok"] + model["hosted_failed"]
    assert model["fallback_ratio"] == round(model["hosted_failed"] / total, 6)


def test_stats_distribution_covers_zero_to_one(api):
    buckets = api.get("/api/stats").json()["distribution"]
    assert [bucket["from"] for bucket in buckets] == [i / 10 for i in range(10)]
    assert [bucket["to"] for bucket in buckets] == [(i + 1) / 10 for i in range(10)]


def test_stats_count_hits_and_misses(api, fresh_prediction):
    before = api.get("/api/stats").json()
    body = fresh_prediction()
    api.get(f"/predict/{body['token']['id']}")
    after = api.get("/api/stats").json()
    assert after["cache"]["misses"] > before["cache"]["misses"]
    assert after["cache"]["hits"] > before["cache"]["hits"]
    assert after["predictions"]["total"] > before["predictions"]["total"]
    assert after["predictions"]["newest"] >= body["computed_at"]


def test_batch_counts_every_hit(api, keyed):
    ids = list(range(1201, 1221))
    keyed.post("/predict/batch", json={"token_ids": ids})
    before = api.get("/api/stats").json()["cache"]["hits"]
    keyed.post("/predict/batch", json={"token_ids": ids})
    assert api.get("/api/stats").json()["cache"]["hits"] >= before + 20


def test_events_as_json(api):
    body = api.get("/api/events").json()
    assert body["count"] == len(body["events"]) == 50
    ids = [event["id"] for event in body["events"]]
    assert ids == sorted(ids)
    assert body["last_id"] == ids[-1]
    assert list(body["events"][0]) == ["id", "kind", "token_id", "created_at", "data"]


def test_events_after_an_id(api):
    newest = api.get("/api/events?limit=10").json()["events"]
    body = api.get(f"/api/events?after={newest[0]['id']}&limit=3").json()
    assert body["events"] == newest[1:4]


def test_no_events_after_the_last(api):
    body = api.get("/api/events?after=99999999").json()
    assert body == {"events": [], "count": 0, "last_id": 99999999}


def test_event_of_an_odd_prediction(api):
    events = api.get("/api/events?after=40&limit=500").json()["events"]
    found = next(event for event in events if event["kind"] == "prediction")
    assert list(found["data"]) == ["score", "label", "model"]
    assert found["data"]["label"] in {"suspicious", "anomalous"}


@pytest.mark.parametrize(
    ("query", "code"),
    [("after=-1", "invalid_after"), ("after=x", "invalid_after"), ("limit=0", "invalid_limit")],
)
def test_events_refuse(api, query, code):
    assert_error(api.get(f"/api/events?{query}"), 400, code)


@pytest.mark.parametrize("value", ["61", "-1", "x"])
def test_stream_duration(api, value):
    response = api.get(f"/api/events?duration={value}", headers={"Accept": "text/event-stream"})
    assert_error(response, 400, "invalid_duration")


def test_stream_of_past_events(api):
    events = api.get("/api/events?limit=5").json()["events"]
    response = api.get(
        f"/api/events?duration=0&after={events[0]['id']}&limit=4",
        headers={"Accept": "text/event-stream"},
    )
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert "Content-Encoding" not in response.headers
    messages = list(read_messages(response))
    assert messages[0] == {"retry": "3000"}
    assert [json.loads(m["data"]) for m in messages[1:-1]] == events[1:]
    assert [int(m["id"]) for m in messages[1:-1]] == [event["id"] for event in events[1:]]
    assert messages[-1] == {"event": "end", "data": str(events[-1]["id"])}


def test_stream_goes_on_where_a_client_was(api):
    events = api.get("/api/events?limit=3").json()["events"]
    response = api.get(
        "/api/events?duration=0",
        headers={"Accept": "text/event-stream", "Last-Event-ID": str(events[0]["id"])},
    )
    ids = [int(m["id"]) for m in read_messages(response) if "id" in m]
    assert ids[:2] == [event["id"] for event in events[1:]]


def test_stream_starts_with_what_is_new(api):
    last = api.get("/api/events?limit=1").json()["last_id"]
    response = api.get("/api/events?duration=0", headers={"Accept": "text/event-stream"})
    assert b": nothing new\n\n" in response.content or b"id: " in response.content
    assert int(list(read_messages(response))[-1]["data"]) >= last


def test_stream_is_live(api, keyed):
    """The change is made while the stream is open, and arrives in it."""
    verified = api.get("/api/tokens/703").json()["is_verified"]
    kinds = []
    with api.get(
        "/api/events?duration=20", headers={"Accept": "text/event-stream"}, stream=True
    ) as response:
        for line in response.iter_lines(chunk_size=1):
            if line == b"retry: 3000":
                keyed.patch("/api/tokens/703", json={"is_verified": not verified})
            if line.startswith(b"data: ") and b'"token_id":703' in line:
                kinds.append(json.loads(line[6:])["kind"])
                break
    assert kinds == ["verification"]


def test_stream_ends_by_itself(api):
    started = time.monotonic()
    response = api.get("/api/events?duration=2", headers={"Accept": "text/event-stream"})
    assert list(read_messages(response))[-1]["event"] == "end"
    assert time.monotonic() - started >= 1.9


def test_two_streams_at_once(api):
    headers = {"Accept": "text/event-stream"}
    with (
        api.get("/api/events?duration=2", headers=headers, stream=True) as one,
        Api().get("/api/events?duration=2", headers=headers, stream=True) as two,
    ):
        assert list(read_messages(one))[-1]["event"] == "end"
        assert list(read_messages(two))[-1]["event"] == "end"


def test_refresh(api, admin):
    before = api.get("/api/stats").json()
    run = admin.post("/api/refresh", json={"limit": 7}).json()
    assert list(run) == ["rescored", "anomalous", "duration_ms"]
    assert 0 <= run["anomalous"] <= run["rescored"] <= 7
    after = api.get("/api/stats").json()
    assert after["last_refresh"]["finished_at"] > before["last_refresh"]["finished_at"]
    assert after["predictions"]["total"] >= before["predictions"]["total"] + run["rescored"]


def test_refresh_takes_the_stalest_first(api, admin):
    run = admin.post("/api/refresh", json={"limit": 3}).json()
    if run["rescored"]:
        newest = api.get("/api/stats").json()["predictions"]["newest"]
        assert newest > "2026-01-16"


def test_refresh_without_a_body(admin):
    assert admin.post("/api/refresh").json()["rescored"] <= 50


@pytest.mark.parametrize("limit", [0, 501, "7", None, 1.5, True])
def test_refresh_refuses(admin, limit):
    assert_error(admin.post("/api/refresh", json={"limit": limit}), 400, "invalid_limit")


def test_refresh_is_for_admins(api, keyed):
    assert_error(api.post("/api/refresh"), 401, "api_key_missing")
    assert_error(keyed.post("/api/refresh"), 403, "forbidden")


def test_unexpected_errors_tell_nothing(admin, keyed, api):
    body = assert_error(admin.get("/api/debug/error"), 500, "internal_server_error")
    assert "drill" not in body["error"]["message"]
    assert_error(keyed.get("/api/debug/error"), 403, "forbidden")
    assert_error(api.get("/api/debug/error"), 401, "api_key_missing")


def test_rate_limit_headers(keyed):
    first = keyed.post("/predict/batch", json={"token_ids": [1]}).headers
    assert first["X-RateLimit-Limit"] == "6000"
    assert 0 <= int(first["X-RateLimit-Remaining"]) < 6000
    assert 1 <= int(first["X-RateLimit-Reset"]) <= 60


def test_rate_limit_counts_down(admin):
    seen = [
        int(admin.get("/api/debug/error").headers["X-RateLimit-Remaining"]) for _ in range(4)
    ]
    # The minute may have turned once.
    assert sum(b == a - 1 for a, b in zip(seen, seen[1:], strict=False)) >= 2


def test_rate_limit_refuses():
    """Eleven uses of a key for five a minute must meet the limit, also when the minute turns."""
    limited = Api(LIMITED_KEY)
    answers = [limited.patch("/api/tokens/1", json={"x": 1}) for _ in range(11)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.status_code for answer in answers} <= {400, 429}
    for answer in refused:
        body = assert_error(answer, 429, "rate_limited")
        assert body["error"]["message"] == "This key may be used 5 times a minute."
        assert answer.headers["X-RateLimit-Limit"] == "5"
        assert answer.headers["X-RateLimit-Remaining"] == "0"
        assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_rate_limit_is_for_each_key(keyed):
    limited = Api(LIMITED_KEY)
    for _ in range(6):
        limited.patch("/api/tokens/1", json={"x": 1})
    assert keyed.post("/predict/batch", json={"token_ids": [1]}).status_code == 200
