"""Features, cache, rate limit and refresh, without HTTP."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from anomaly import jobs, keys, predictions
from anomaly.clock import to_iso, utc_now
from anomaly.extensions import db
from anomaly.features import FEATURES, compute_features, to_row
from anomaly.models import Event, Prediction, RateWindow, RefreshRun, Token

MEDIANS = dict.fromkeys(FEATURES, 7.0)


def test_features(market):
    features = compute_features(market, MEDIANS)
    assert features == {
        "log_volume": 2.0,
        "log_liquidity": 3.0,
        "volatility": 0.5,
        "price_change": -0.25,
        "log_holders": 1.0,
        "log_tx_count": 0.0,
        "top10_share": 0.4,
        "turnover": -1.0,
    }
    assert to_row(features) == [2.0, 3.0, 0.5, -0.25, 1.0, 0.0, 0.4, -1.0]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -1.0])
def test_absurd_volume_becomes_the_median(market, value):
    market.volume_24h = value
    features = compute_features(market, MEDIANS)
    assert (features["log_volume"], features["turnover"]) == (7.0, 7.0)


def test_wild_values_are_clipped(market):
    market.volatility, market.price_change_24h, market.top10_share = 1e308, -5.0, 1.7
    features = compute_features(market, MEDIANS)
    assert features["volatility"] == 10.0
    assert features["price_change"] == -1.0
    assert features["top10_share"] == 1.0


def test_database_is_the_cache_when_memory_is_empty(client):
    first = client.get("/predict/1").json
    predictions.clear_memory()
    again = client.get("/predict/1").json
    assert again == first | {"cached": True}
    assert db.session.scalar(select(func.count()).select_from(Prediction)) == 1


def test_expired_prediction_is_computed_again(client, monkeypatch):
    client.get("/predict/1")
    later = utc_now() + timedelta(minutes=6)
    monkeypatch.setattr(predictions, "utc_now", lambda: later)
    body = client.get("/predict/1").json
    assert body["cached"] is False
    assert body["computed_at"] == to_iso(later)


def test_rate_limit_is_one_row(app, client):
    for _ in range(3):
        client.post("/predict/batch", json={"token_ids": [1]}, headers={"X-API-Key": "unit-test-key"})
    hits = db.session.scalars(select(RateWindow.hits)).all()
    assert sum(hits) == 3
    keys.forget_old_windows()
    assert db.session.scalar(select(func.count()).select_from(RateWindow)) <= 1


def test_rate_limit(client, monkeypatch):
    monkeypatch.setattr(keys.time, "time", lambda: 6000.0)
    answers = [
        client.post("/predict/batch", json={"token_ids": [1]}, headers={"X-API-Key": "unit-test-key"})
        for _ in range(5)
    ]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert [a.headers["X-RateLimit-Remaining"] for a in answers] == ["2", "1", "0", "0", "0"]
    assert answers[4].headers["Retry-After"] == "60"
    monkeypatch.setattr(keys.time, "time", lambda: 6060.0)
    late = client.post(
        "/predict/batch", json={"token_ids": [1]}, headers={"X-API-Key": "unit-test-key"}
    )
    assert late.status_code == 200


def test_refresh_scores_the_stalest_with_one_call(app, monkeypatch):
    calls = []
    score = predictions.get_scorer().local.score
    monkeypatch.setattr(
        predictions.get_scorer().local, "score", lambda rows: calls.append(len(rows)) or score(rows)
    )
    app.config["REFRESH_BATCH_SIZE"] = 15
    assert jobs.refresh_stale_tokens() == 15
    assert jobs.refresh_stale_tokens() == 5
    assert jobs.refresh_stale_tokens() == 0
    assert calls == [15, 5]
    assert db.session.scalar(select(func.count()).select_from(RefreshRun)) == 3
    assert db.session.scalar(select(func.min(Token.prediction_count))) == 1


def test_refresh_command(app):
    result = app.test_cli_runner().invoke(args=["refresh"])
    assert result.output == "20 tokens rescored\n"


def test_refresh_prunes_events(app, monkeypatch):
    monkeypatch.setattr(jobs, "KEEP_EVENTS", 2)
    for number in range(5):
        db.session.add(Event(kind="test", payload={"n": number}, created_at=utc_now()))
    db.session.commit()
    jobs.prune_events()
    assert [e.payload["n"] for e in db.session.scalars(select(Event).order_by(Event.id))] == [3, 4]


def test_create_key_command(app, client):
    key = app.test_cli_runner().invoke(args=["create-key", "ops", "--rate-limit", "9"]).output.strip()
    answer = client.post("/predict/batch", json={"token_ids": [1]}, headers={"X-API-Key": key})
    assert answer.headers["X-RateLimit-Limit"] == "9"


def test_health_without_a_database(app, client, monkeypatch):
    def fail(*_args: object, **_kwargs: object) -> None:
        from sqlalchemy.exc import OperationalError

        raise OperationalError("SELECT 1", {}, Exception("disk I/O error"))

    monkeypatch.setattr(db.session, "execute", fail)
    answer = client.get("/health")
    assert (answer.status_code, answer.json["database"]) == (503, "unavailable")
