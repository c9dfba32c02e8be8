import re
from datetime import datetime, timedelta

import pytest
from conftest import ADMIN_KEY, DEMO_KEY, RETIRED_KEY, Api, assert_error

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
FEATURES = [
    "log_volume",
    "log_liquidity",
    "volatility",
    "price_change",
    "log_holders",
    "log_tx_count",
    "top10_share",
    "turnover",
]


def parse(stamp):
    assert STAMP.fullmatch(stamp)
    return datetime.fromisoformat(stamp)


def test_prediction_has_all_fields_in_order(api):
    body = api.get("/predict/42").json()
    assert list(body) == [
        "token", "features", "score", "label", "model", "source", "computed_at", "expires_at", "cached",
    ]  # fmt: skip
    assert list(body["token"]) == ["id", "symbol", "name", "chain"]
    assert body["token"]["id"] == 42
    assert list(body["features"]) == FEATURES
    assert all(isinstance(value, float) for value in body["features"].values())


def test_score_and_label_agree(api):
    for token_id in range(20, 40):
        body = api.get(f"/predict/{token_id}").json()
        assert 0 < body["score"] < 1
        assert body["score"] == round(body["score"], 6)
        if body["score"] >= 0.594798:
            assert body["label"] == "anomalous"
        elif body["score"] >= 0.517364:
            assert body["label"] == "suspicious"
        else:
            assert body["label"] == "normal"


def test_known_score_of_the_local_model(fresh_prediction):
    """A score that was just computed comes from the model file, so the same features repeat it."""
    body = fresh_prediction()
    assert body["model"] == "isolation-forest-2025.09"
    assert body["source"] == "local"


def test_scores_are_the_trained_models(api):
    assert api.get("/predict/1").json()["score"] == pytest.approx(0.3718, abs=1e-9)
    assert api.get("/predict/12").json()["score"] == pytest.approx(0.493149, abs=1e-9)


def test_first_prediction_is_computed_and_the_second_is_cached(api, fresh_prediction):
    first = fresh_prediction()
    second = api.get(f"/predict/{first['token']['id']}").json()
    assert first["cached"] is False
    assert second == first | {"cached": True}


def test_prediction_expires_after_five_minutes(fresh_prediction):
    body = fresh_prediction()
    assert parse(body["expires_at"]) - parse(body["computed_at"]) == timedelta(minutes=5)


def test_prediction_is_kept_in_history(api, fresh_prediction):
    body = fresh_prediction()
    history = api.get(f"/api/tokens/{body['token']['id']}/history").json()
    points = {point["computed_at"]: point for point in history["points"]}
    point = points[body["computed_at"]]
    assert (point["score"], point["label"], point["source"]) == (
        body["score"], body["label"], body["source"],
    )  # fmt: skip


def test_prediction_updates_the_token(api, fresh_prediction):
    body = fresh_prediction()
    token = api.get(f"/api/tokens/{body['token']['id']}").json()
    assert token["score"] == body["score"]
    assert token["scored_at"] == body["computed_at"]


def test_prediction_of_a_token_with_infinite_market_data(api):
    body = api.get("/predict/6").json()
    assert body["token"]["symbol"] == "INF"
    assert body["features"]["volatility"] == 0.1242  # the median


def test_prediction_of_a_token_with_huge_and_tiny_volume(api):
    assert api.get("/predict/5").json()["features"]["log_volume"] == 308.254716
    assert api.get("/predict/4").json()["features"]["log_volume"] == 0.0


def test_prediction_in_other_scripts(api):
    assert api.get("/predict/11").json()["token"]["name"] == "שלום עולם 🚀"
    response = api.get("/predict/12")
    assert "عملة القمر" in response.content.decode("utf-8")  # not escaped


@pytest.mark.parametrize("token_id", ["5201", "999999", str(2**63 - 1)])
def test_unknown_token(api, token_id):
    body = assert_error(api.get(f"/predict/{token_id}"), 404, "not_found")
    assert body["error"]["message"] == f"There is no token {token_id}."


@pytest.mark.parametrize(
    "token_id",
    ["abc", "0", "-1", "1.5", "01", "1e3", "%20", "%201", "1%0A", "٣", "²", str(2**63), "9" * 40],
)
def test_malformed_token_id(api, token_id):
    assert_error(api.get(f"/predict/{token_id}"), 400, "invalid_token_id")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_prediction_can_only_be_read(api, method):
    response = api.request(method, "/predict/1")
    assert_error(response, 405, "method_not_allowed")
    assert {m.strip() for m in response.headers["Allow"].split(",")} == {"GET", "HEAD", "OPTIONS"}


def test_head_has_no_body(api):
    response = api.request("HEAD", "/predict/2")
    assert response.status_code == 200
    assert response.content == b""
    assert int(response.headers["Content-Length"]) > 100


def test_batch_keeps_order_and_reports_each(keyed):
    ids = [7, 999999, 3, "x", 7, None, True, 0, 2**70]
    body = keyed.post("/predict/batch", json={"token_ids": ids}).json()
    assert [item["token_id"] for item in body["items"]] == ids
    assert [item["ok"] for item in body["items"]] == [
        True, False, True, False, True, False, False, False, False,
    ]  # fmt: skip
    assert (body["count"], body["succeeded"], body["failed"]) == (9, 3, 6)
    assert body["items"][1]["error"]["code"] == "not_found"
    assert {body["items"][i]["error"]["code"] for i in (3, 5, 6, 7, 8)} == {"invalid_token_id"}
    assert body["items"][0] == body["items"][4]


def test_batch_of_one_hundred(keyed):
    body = keyed.post("/predict/batch", json={"token_ids": list(range(1001, 1101))}).json()
    assert body["succeeded"] == 100
    again = keyed.post("/predict/batch", json={"token_ids": list(range(1001, 1101))}).json()
    assert all(item["prediction"]["cached"] for item in again["items"])
    scores = [item["prediction"]["score"] for item in body["items"]]
    assert scores == [item["prediction"]["score"] for item in again["items"]]


def test_batch_agrees_with_single_predictions(api, keyed):
    batch = keyed.post("/predict/batch", json={"token_ids": [61, 62, 63]}).json()
    for item in batch["items"]:
        single = api.get(f"/predict/{item['token_id']}").json()
        assert single == item["prediction"] | {"cached": True}


@pytest.mark.parametrize(
    "body",
    [{}, {"token_ids": []}, {"token_ids": "1"}, {"token_ids": list(range(1, 102))}, {"token_ids": {}}],
    ids=["missing", "empty", "text", "too many", "object"],
)
def test_batch_refuses_wrong_lists(keyed, body):
    assert_error(keyed.post("/predict/batch", json=body), 400, "invalid_token_ids")


@pytest.mark.parametrize("body", ["[1]", '"x"', "null", "3"])
def test_batch_refuses_other_json(keyed, body):
    response = keyed.post(
        "/predict/batch", data=body, headers={"Content-Type": "application/json"}
    )
    assert_error(response, 400, "invalid_body")


def test_batch_refuses_broken_json(keyed):
    response = keyed.post(
        "/predict/batch", data='{"token_ids": [1', headers={"Content-Type": "application/json"}
    )
    assert_error(response, 400, "bad_request")


def test_batch_refuses_other_content(keyed):
    response = keyed.post("/predict/batch", data={"token_ids": "1"})
    assert_error(response, 415, "unsupported_media_type")


def test_batch_refuses_a_large_body():
    # A connection of its own: the server does not read the body, and closes.
    alone = Api(DEMO_KEY)
    response = alone.post("/predict/batch", json={"token_ids": [1], "padding": "x" * 70_000})
    assert_error(response, 413, "request_entity_too_large")


def test_batch_needs_a_key(api):
    response = api.post("/predict/batch", json={"token_ids": [1]})
    assert_error(response, 401, "api_key_missing")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="anomaly"'


@pytest.mark.parametrize("key", ["wrong", RETIRED_KEY, DEMO_KEY.upper(), DEMO_KEY + "x"])
def test_batch_refuses_wrong_keys(key):
    response = Api(key).post("/predict/batch", json={"token_ids": [1]})
    assert_error(response, 401, "api_key_invalid")
    assert "X-RateLimit-Limit" not in response.headers


@pytest.mark.parametrize("key", [DEMO_KEY, ADMIN_KEY])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_batch_takes_bearer_keys(api, key, scheme):
    response = api.post(
        "/predict/batch", json={"token_ids": [1]}, headers={"Authorization": f"{scheme} {key}"}
    )
    assert response.status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", f"Basic {DEMO_KEY}"])
def test_batch_needs_a_bearer_scheme(api, header):
    response = api.post(
        "/predict/batch", json={"token_ids": [1]}, headers={"Authorization": header}
    )
    assert_error(response, 401, "api_key_missing")


def test_batch_cannot_be_read(api):
    # "batch" is no token id.
    assert_error(api.get("/predict/batch"), 400, "invalid_token_id")
