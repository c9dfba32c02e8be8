"""In-process tests: an app on a small database of its own."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from anomaly import create_app
from anomaly.clock import utc_now
from anomaly.extensions import db
from anomaly.keys import hash_key
from anomaly.models import ApiKey, Chain, Token
from anomaly.predictions import clear_memory
from anomaly.schema import create_tables, create_views_and_triggers

KEY = "unit-test-key"


def make_token(token_id: int, **changes: object) -> Token:
    values = {
        "id": token_id,
        "chain_id": 1,
        "address": f"0x{token_id:040x}",
        "symbol": f"T{token_id}",
        "name": f"Token {token_id}",
        "name_folded": f"token {token_id}",
        "total_supply": 10**18,
        "holders": 1200 + token_id,
        "tx_count_24h": 400,
        "volume_24h": 170_000.0 + token_id,
        "liquidity_usd": 310_000.0,
        "volatility": 0.12,
        "price_change_24h": 0.01,
        "top10_share": 0.31,
    }
    return Token(**values | changes)


def build_app(path: Path, **overrides: object) -> Flask:
    clear_memory()
    app = create_app(
        {
            "SQLALCHEMY_DATABASE_URI": f"sqlite:///{path}",
            "SCHEDULER_ENABLED": False,
            "REPLICATE_API_TOKEN": "",
            **overrides,
        }
    )
    with app.app_context():
        with db.engine.begin() as connection:
            create_tables(connection)
            create_views_and_triggers(connection)
        db.session.add(Chain(id=1, slug="testnet", name="Testnet"))
        db.session.commit()
        db.session.add_all([make_token(i) for i in range(1, 21)])
        db.session.add(
            ApiKey(
                name="unit",
                key_hash=hash_key(KEY),
                rate_limit=3,
                is_active=True,
                is_admin=True,
                created_at=utc_now(),
            )
        )
        db.session.commit()
    return app


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    found = build_app(tmp_path / "unit.db")
    with found.app_context():
        yield found


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def market() -> SimpleNamespace:
    """A token's market data, for the feature tests."""
    return SimpleNamespace(
        volume_24h=99.0,
        liquidity_usd=999.0,
        volatility=0.5,
        price_change_24h=-0.25,
        holders=9,
        tx_count_24h=0,
        top10_share=0.4,
    )
