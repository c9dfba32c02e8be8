import pytest
from conftest import assert_error


def test_list_defaults(api):
    body = api.get("/api/tokens").json()
    assert (body["page"], body["per_page"], body["sort"]) == (1, 25, "id")
    assert (body["total"], body["pages"], len(body["items"])) == (5200, 208, 25)
    assert [item["id"] for item in body["items"]] == list(range(1, 26))
    assert body["links"] == {
        "self": "/api/tokens?page=1&per_page=25&sort=id",
        "first": "/api/tokens?page=1&per_page=25&sort=id",
        "prev": None,
        "next": "/api/tokens?page=2&per_page=25&sort=id",
        "last": "/api/tokens?page=208&per_page=25&sort=id",
    }


def test_links_lead_through_all_pages(api):
    seen, path = [], "/api/tokens?per_page=100&chain=bnb"
    while path:
        body = api.get(path).json()
        seen += [item["id"] for item in body["items"]]
        path = body["links"]["next"]
    assert len(seen) == body["total"] == len(set(seen)) == 843
    assert seen == sorted(seen)


def test_page_in_the_middle(api):
    body = api.get("/api/tokens?page=3&per_page=7").json()
    assert [item["id"] for item in body["items"]] == list(range(15, 22))
    assert body["links"]["prev"].startswith("/api/tokens?page=2&")
    assert body["links"]["next"].startswith("/api/tokens?page=4&")


def test_last_page_is_short(api):
    body = api.get("/api/tokens?page=53&per_page=99").json()
    assert [item["id"] for item in body["items"]] == list(range(5149, 5201))
    assert body["links"]["next"] is None


def test_page_behind_the_last_is_empty(api):
    body = api.get("/api/tokens?page=1000000&per_page=100").json()
    assert body["items"] == []
    assert body["total"] == 5200
    assert body["links"]["prev"].startswith("/api/tokens?page=52&")


@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1.0", "1000001", "٣", "9" * 30])
def test_bad_page(api, value):
    assert_error(api.get("/api/tokens", params={"page": value}), 400, "invalid_page")


@pytest.mark.parametrize("value", ["0", "101", "-5", "many", "1e2"])
def test_bad_per_page(api, value):
    assert_error(api.get("/api/tokens", params={"per_page": value}), 400, "invalid_per_page")


@pytest.mark.parametrize("value", ["", "note", "--id", "ID", "id;drop table tokens"])
def test_bad_sort(api, value):
    assert_error(api.get("/api/tokens", params={"sort": value}), 400, "invalid_sort")


@pytest.mark.parametrize("field", ["id", "name", "symbol", "volume", "launched", "price"])
def test_sorts_are_each_others_reverse(api, field):
    key = {"volume": "volume_24h", "launched": "launched_on", "price": "price_usd"}.get(field, field)
    up = api.get(f"/api/tokens?sort={field}&per_page=100&page=20").json()["items"]
    values = [item[key] for item in up if item[key] is not None]
    if field == "name":
        values = [value.casefold() for value in values]
    if field == "price":
        values = [float(value) for value in values]
    assert values == sorted(values)
    down = api.get(f"/api/tokens?sort=-{field}&per_page=1").json()["items"][0]
    last = api.get(f"/api/tokens?sort={field}&per_page=1&page=5200").json()["items"][0]
    assert down[key] == last[key]


def test_sort_by_score_downwards(api):
    items = api.get("/api/tokens?sort=-score&per_page=30").json()["items"]
    scores = [item["score"] for item in items]
    assert scores == sorted(scores, reverse=True)
    assert items[0]["label"] == "anomalous"


def test_missing_values_sort_first(api):
    items = api.get("/api/tokens?sort=launched&per_page=5").json()["items"]
    assert [item["launched_on"] for item in items] == [None] * 5


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("int64 max", "Int64 Max"),
        ("INT64", "Int64 Max"),
        ("עולם", "שלום עולם 🚀"),
        ("القمر", "عملة القمر"),
        ("🏽", "👩‍🚀👩🏽‍🚀 Astronaut"),
        ('"quote"; drop', "O'Reilly \"Quote\"; DROP TABLE tokens;--"),
    ],
)
def test_search(api, query, name):
    body = api.get("/api/tokens", params={"q": query, "per_page": 100}).json()
    assert name in [item["name"] for item in body["items"]]
    assert 1 <= body["total"] < 50


def test_search_folds_case_beyond_ascii(api):
    lower = api.get("/api/tokens", params={"q": "ångström", "per_page": 1}).json()
    upper = api.get("/api/tokens", params={"q": "ÅNGSTRÖM", "per_page": 1}).json()
    assert lower["total"] == upper["total"] > 50
    strasse = api.get("/api/tokens", params={"q": "STRASSE", "per_page": 1}).json()
    assert strasse["items"][0]["name"].startswith("Straße")


@pytest.mark.parametrize("query", ["%", "_", "*", "\\"])
def test_search_has_no_wildcards(api, query):
    assert api.get("/api/tokens", params={"q": query}).json()["total"] == 0


def test_search_without_result(api):
    body = api.get("/api/tokens", params={"q": "no such token anywhere"}).json()
    assert (body["items"], body["total"], body["pages"]) == ([], 0, 0)
    assert body["links"]["next"] is None


def test_search_is_kept_in_links(api):
    body = api.get("/api/tokens", params={"q": "café & 🚀", "chain": "base"}).json()
    assert body["links"]["self"].endswith("&q=caf%C3%A9+%26+%F0%9F%9A%80&chain=base")


def test_long_search(api):
    assert api.get("/api/tokens", params={"q": "🚀" * 64}).status_code == 200
    assert_error(api.get("/api/tokens", params={"q": "x" * 65}), 400, "invalid_q")


def test_filters(api):
    solana = api.get("/api/tokens?chain=solana&per_page=100").json()
    assert solana["total"] == 885
    assert {item["chain"] for item in solana["items"]} == {"solana"}
    assert api.get("/api/tokens?chain=nowhere").json()["total"] == 0
    odd = api.get("/api/tokens?label=anomalous&per_page=100").json()
    assert {item["label"] for item in odd["items"]} == {"anomalous"}


def test_token(api):
    body = api.get("/api/tokens/7").json()
    assert body["name"] == "Third"
    assert body["liquidity_usd"] == 1 / 3
    assert body["volume_24h"] == 0.1 + 0.2
    assert body["links"]["history"] == "/api/tokens/7/history"


@pytest.mark.parametrize(
    ("token_id", "field", "value"),
    [
        (1, "total_supply", "9223372036854775807"),
        (2, "total_supply", "9007199254740993"),
        (3, "total_supply", "-9223372036854775808"),
        (4, "volume_24h", 5e-324),
        (5, "volume_24h", 1.7976931348623157e308),
        (6, "volatility", None),
        (8, "volume_24h", 1000000.0),
        (8, "liquidity_usd", 0.0),
        (9, "symbol", "SQL'"),
        (10, "name", "\u202eRight-to-left override\u202c"),
        (13, "symbol", "🚀🚀"),
        (15, "launched_on", "0001-01-01"),
        (16, "launched_on", "9999-12-31"),
    ],
)
def test_extreme_values(api, token_id, field, value):
    found = api.get(f"/api/tokens/{token_id}").json()[field]
    assert found == value
    assert type(found) is type(value)


def test_composed_and_decomposed_names_stay_apart(api):
    name = api.get("/api/tokens/14").json()["name"]
    assert [hex(ord(c)) for c in name if c in "\u00c9\u0301"] == ["0xc9", "0x301"]


def test_json_column(api):
    markets = [api.get(f"/api/tokens/{i}").json()["market"] for i in range(1, 30)]
    assert None in markets
    found = next(market for market in markets if market)
    assert list(found) == ["exchanges", "rank", "spread", "listed", "tags"]
    assert isinstance(found["listed"], bool)


def test_prices_are_exact_decimals(api):
    prices = [i["price_usd"] for i in api.get("/api/tokens?per_page=100").json()["items"]]
    assert None in prices
    assert all(len(price.split(".")[1]) == 8 for price in prices if price)
    assert not any("E" in price for price in prices if price)


@pytest.mark.parametrize("part", ["", "/history", "/logo"])
def test_unknown_and_malformed_tokens(api, part):
    assert_error(api.get(f"/api/tokens/5201{part}"), 404, "not_found")
    assert_error(api.get(f"/api/tokens/zero{part}"), 400, "invalid_token_id")


def test_logo(api):
    response = api.get("/api/tokens/18/logo")
    assert response.content == bytes(range(256))
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Cache-Control"] == "public, max-age=3600"
    again = api.get("/api/tokens/18/logo", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_empty_and_missing_logos_differ(api):
    empty = api.get("/api/tokens/17/logo")
    assert (empty.status_code, empty.content) == (200, b"")
    missing = [api.get(f"/api/tokens/{i}/logo").status_code for i in range(100, 120)]
    assert set(missing) == {200, 404}


def test_logos_are_pngs(api):
    found = [api.get(f"/api/tokens/{i}/logo") for i in range(120, 140)]
    images = [response.content for response in found if response.status_code == 200]
    assert images
    assert all(image.startswith(b"\x89PNG\r\n\x1a\n") for image in images)


def test_history(api):
    body = api.get("/api/tokens/500/history?limit=500").json()
    assert body["token_id"] == 500
    assert body["count"] == body["total"] == len(body["points"]) >= 14
    stamps = [point["computed_at"] for point in body["points"]]
    assert stamps == sorted(stamps)
    scores = [point["score"] for point in body["points"]]
    assert body["summary"]["min"] == min(scores)
    assert body["summary"]["max"] == max(scores)
    assert abs(body["summary"]["mean"] - sum(scores) / len(scores)) < 1e-6


def test_history_is_the_newest_part(api):
    whole = api.get("/api/tokens/501/history?limit=500").json()["points"]
    part = api.get("/api/tokens/501/history?limit=3").json()
    assert part["points"] == whole[-3:]
    assert part["count"] == 3


def test_trend(api):
    for token_id in range(510, 530):
        trend = api.get(f"/api/tokens/{token_id}/history").json()["summary"]["trend"]
        expected = "flat"
        if trend["slope"] > 0.001:
            expected = "rising"
        elif trend["slope"] < -0.001:
            expected = "falling"
        assert trend["direction"] == expected


def test_history_of_one_point_has_no_slope(api):
    trend = api.get("/api/tokens/502/history?limit=1").json()["summary"]["trend"]
    assert trend == {"slope": None, "direction": "flat"}


@pytest.mark.parametrize("value", ["0", "501", "x"])
def test_history_limit(api, value):
    assert_error(api.get(f"/api/tokens/1/history?limit={value}"), 400, "invalid_limit")


def test_update_note(api, keyed):
    before = api.get("/api/tokens/700").json()
    note = "ملاحظة 👩‍🚀\n\"quoted\" 'text' \\ %s ? :x"
    changed = keyed.patch("/api/tokens/700", json={"note": note})
    assert changed.status_code == 200
    assert changed.json()["note"] == note
    after = api.get("/api/tokens/700").json()
    assert after == changed.json()
    assert after["updated_at"] > before["updated_at"]
    cleared = keyed.patch("/api/tokens/700", json={"note": None}).json()
    assert cleared["note"] is None
    keyed.patch("/api/tokens/700", json={"note": before["note"]})


def test_update_verification_writes_an_event(api, keyed):
    last = api.get("/api/events?limit=1").json()["last_id"]
    token = api.get("/api/tokens/701").json()
    changed = keyed.patch("/api/tokens/701", json={"is_verified": not token["is_verified"]}).json()
    assert changed["is_verified"] is not token["is_verified"]
    events = api.get(f"/api/events?after={last}").json()["events"]
    mine = [e for e in events if e["kind"] == "verification" and e["token_id"] == 701]
    assert mine[0]["data"] == {
        "symbol": token["symbol"],
        "is_verified": int(changed["is_verified"]),
    }
    assert mine[0]["created_at"] == changed["updated_at"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_body"),
        ({"score": 1}, "invalid_body"),
        ({"note": "x", "id": 1}, "invalid_body"),
        ({"is_verified": 1}, "invalid_is_verified"),
        ({"is_verified": None}, "invalid_is_verified"),
        ({"note": 5}, "invalid_note"),
        ({"note": "x" * 501}, "invalid_note"),
    ],
)
def test_update_refuses(api, keyed, body, code):
    before = api.get("/api/tokens/702").json()
    assert_error(keyed.patch("/api/tokens/702", json=body), 400, code)
    after = api.get("/api/tokens/702").json()
    assert (after["note"], after["updated_at"]) == (before["note"], before["updated_at"])


def test_update_needs_a_key_and_a_token(api, keyed):
    assert_error(api.patch("/api/tokens/1", json={"note": "x"}), 401, "api_key_missing")
    assert_error(keyed.patch("/api/tokens/999999", json={"note": "x"}), 404, "not_found")
