import sqlite3
from collections import Counter

import pytest

from edgelift.model.inventory import Inventory, Route
from edgelift.sources.sqlite import SqliteSource
from edgelift.stages.verify.generate import Generator, match_route
from edgelift.stages.verify.samples import Samples, Source, to_singular

ROUTES = (
    Route(rule="/", methods=("GET", "HEAD", "OPTIONS"), endpoint="index"),
    Route(
        rule="/api/tokens",
        methods=("GET", "POST"),
        endpoint="tokens",
        query=("page", "sort", "q"),
        json_fields=("symbol", "token_ids"),
    ),
    Route(
        rule="/api/tokens/{id}",
        methods=("GET", "DELETE"),
        endpoint="token",
        parameters={"id": "int"},
    ),
    Route(
        rule="/predict/{token_id}",
        methods=("GET",),
        endpoint="predict",
        parameters={"token_id": "string"},
    ),
    Route(
        rule="/static/{filename}",
        methods=("GET",),
        endpoint="static",
        parameters={"filename": "path"},
    ),
)


@pytest.fixture
def samples(tmp_path):
    file = tmp_path / "a.sqlite"
    db = sqlite3.connect(file)
    db.executescript(
        "CREATE TABLE tokens(id INTEGER PRIMARY KEY, symbol TEXT, data BLOB);"
        "CREATE TABLE prices(token_id INTEGER, price REAL);"
        "INSERT INTO tokens VALUES (3,'AAA',x'00'),(5,'ÄÖ',NULL),(9,'a much longer symbol',NULL),(12,NULL,NULL);"
    )
    db.commit()
    db.close()
    return Samples([Source(file, SqliteSource(file).read_catalogue())])


def generate(samples, headers=None, routes=ROUTES, static=("/static",), files=("static/a.css",)):
    inventory = Inventory(framework="flask", entry="app:app", routes=routes)
    return Generator(inventory, samples, headers or {}, static, files).build()


@pytest.mark.parametrize(
    ("name", "hints", "values"),
    [
        ("token_id", [], [3, 9, 12]),
        ("id", ["api", "tokens"], [3, 9, 12]),
        ("id", ["api"], []),
        ("token", [], [3, 9, 12]),
        ("symbol", [], ["AAA", "a much longer symbol", "ÄÖ"]),
        ("token_ids", [], [3, 9, 12]),
        ("data", [], []),
        ("nothing", [], []),
    ],
)
def test_values_come_from_the_column_a_name_means(samples, name, hints, values):
    assert samples.find(name, hints) == values


@pytest.mark.parametrize(
    ("name", "singular"),
    [("tokens", "token"), ("categories", "category"), ("boxes", "box"), ("Addresses", "address"),
     ("pass", "pass"), ("s", "s"), ("item", "item")],
)  # fmt: skip
def test_singular(name, singular):
    assert to_singular(name) == singular


def test_two_generations_are_the_same(samples):
    assert generate(samples) == generate(samples)


def test_every_route_gets_valid_values_mistakes_and_other_methods(samples):
    asked = [
        (r.method, r.target) for r in generate(samples).requests if r.rule == "/api/tokens/{id}"
    ]
    for wanted in [
        ("GET", "/api/tokens/3"), ("GET", "/api/tokens/12"), ("GET", "/api/tokens/987654321"),
        ("GET", "/api/tokens/abc"), ("HEAD", "/api/tokens/3"), ("OPTIONS", "/api/tokens/3"),
        ("PUT", "/api/tokens/3"), ("GET", "/api/tokens/3/"), ("DELETE", "/api/tokens/3"),
    ]:  # fmt: skip
        assert wanted in asked


def test_query_parameters_are_tried_at_their_edges(samples):
    queries = {r.query for r in generate(samples).requests if r.rule == "/api/tokens"}
    assert {"page=1", "page=0", "page=-1", "page=abc", "page=", "sort=symbol", "sort=nonsense",
            "q=a", "q=%C3%BC%E2%98%83", "page=1&page=2", "edgelift_unknown=1",
            "page=1&sort=id&q=1"} <= queries  # fmt: skip


def test_bodies_are_valid_missing_malformed_and_mistyped(samples):
    posts = [r for r in generate(samples).requests if (r.method, r.rule) == ("POST", "/api/tokens")]
    purposes = Counter(r.purpose for r in posts)
    for purpose in (
        "valid values", "valid lists", "valid, by name", "no body", "malformed JSON", "JSON {}",
        "wrong content type", "form instead of JSON", "without symbol", "symbol null",
        "token_ids with 101 elements", "invalid UTF-8",
    ):  # fmt: skip
        assert purposes[purpose] == 1, purpose
    natural = next(r for r in posts if r.purpose == "valid, by name")
    assert natural.body == b'{"symbol": "AAA", "token_ids": [3, 9, 12]}'


def test_declared_headers_are_sent_and_left_out_once(samples):
    flow = generate(samples, {"X-Key": "secret"})
    tokens = [r for r in flow.requests if (r.method, r.target) == ("GET", "/api/tokens")]
    with_key = [r for r in tokens if ("X-Key", "secret") in r.headers]
    assert len(with_key) < len(tokens)
    assert any(r.purpose == "no credentials" for r in tokens)


def test_writes_come_after_reads_and_reads_come_again(samples):
    purposes = [(r.method, r.purpose) for r in generate(samples).requests]
    first_write = purposes.index(("POST", "valid values"))
    assert purposes.index(("GET", "valid")) < first_write
    assert purposes.index(("GET", "read after the writes")) > purposes.index(("DELETE", "no body"))


def test_static_files_and_strangers_are_asked_for(samples):
    asked = {(r.method, r.path) for r in generate(samples).requests}
    assert ("GET", "/static/a.css") in asked
    assert ("HEAD", "/static/edgelift-missing.css") in asked
    assert ("POST", "/edgelift-no-such-page") in asked


def test_an_app_without_a_database_is_asked_too():
    flow = generate(Samples([]))
    assert ("GET", "/predict/1") in {(r.method, r.path) for r in flow.requests}


@pytest.mark.parametrize(
    ("path", "rule"),
    [("/", "/"), ("/api/tokens/7", "/api/tokens/{id}"), ("/static/a/b.css", "/static/{filename}"),
     ("/api/tokens/7/x", ""), ("/nothing", "")],
)  # fmt: skip
def test_recorded_paths_find_their_rule(path, rule):
    assert match_route(path, ROUTES) == rule
