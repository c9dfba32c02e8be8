"""HTTP tests: they need a running server with seeded data, named by BASE_URL, and nothing else."""

import os
import random
from collections.abc import Callable, Iterator

import pytest
import requests

BASE_URL = os.environ.get("BASE_URL", "http://127.0.0.1:5000").rstrip("/")
DEMO_KEY = "demo-key-5f0c1d9e"
ADMIN_KEY = "admin-key-c93e41aa"
LIMITED_KEY = "limited-key-7a2b"
RETIRED_KEY = "retired-key-00d1"
TOKENS = 5200


class Api:
    """A session that knows the server's address and asks for plain JSON."""

    def __init__(self, key: str | None = None) -> None:
        self.session = requests.Session()
        self.session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        if key:
            self.session.headers["X-API-Key"] = key

    def request(self, method: str, path: str, **kwargs) -> requests.Response:
        kwargs.setdefault("timeout", 30)
        kwargs.setdefault("allow_redirects", False)
        return self.session.request(method, BASE_URL + path, **kwargs)

    def get(self, path: str, **kwargs) -> requests.Response:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, **kwargs) -> requests.Response:
        return self.request("POST", path, **kwargs)

    def patch(self, path: str, **kwargs) -> requests.Response:
        return self.request("PATCH", path, **kwargs)


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    found = Api()
    yield found
    found.session.close()


@pytest.fixture(scope="session")
def keyed() -> Iterator[Api]:
    found = Api(DEMO_KEY)
    yield found
    found.session.close()


@pytest.fixture(scope="session")
def admin() -> Iterator[Api]:
    found = Api(ADMIN_KEY)
    yield found
    found.session.close()


@pytest.fixture
def fresh_prediction(api: Api) -> Callable[[], dict]:
    """Predict tokens until one was not cached: the suite may have run a minute ago."""

    def predict() -> dict:
        for token_id in random.sample(range(100, TOKENS), 60):
            body = api.get(f"/predict/{token_id}").json()
            if not body["cached"]:
                return body
        raise AssertionError("sixty tokens in a row were cached")

    return predict


def assert_error(response: requests.Response, status: int, code: str) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["code"] == code
    assert body["error"]["message"]
    return body
