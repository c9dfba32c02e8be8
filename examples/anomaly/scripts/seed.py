"""Make the database with demo data: `python scripts/seed.py`.

The same call always gives the same rows: the random seed and the moment that counts as now are fixed. The
database is the one the app uses (DATABASE_URL, or instance/anomaly.db) and is replaced.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from sqlalchemy import insert, make_url, text  # noqa: E402
from sqlalchemy.engine import Connection  # noqa: E402
from synthetic import draw_metrics  # noqa: E402

from anomaly import create_app  # noqa: E402
from anomaly.extensions import db  # noqa: E402
from anomaly.keys import hash_key  # noqa: E402
from anomaly.models import (  # noqa: E402
    ApiKey,
    Chain,
    Counter,
    Event,
    Prediction,
    RefreshRun,
    Token,
)
from anomaly.schema import create_tables, create_views_and_triggers  # noqa: E402
from anomaly.scoring import get_scorer  # noqa: E402

NOW = datetime(2026, 1, 15, 12, 0, 0)
TOKENS = 5200
MIN_HISTORY, MAX_HISTORY = 14, 28
TTL = timedelta(seconds=300)

CHAINS = (
    ("ethereum", "Ethereum"),
    ("base", "Base"),
    ("solana", "Solana"),
    ("polygon", "Polygon"),
    ("arbitrum", "Arbitrum One"),
    ("bnb", "BNB Smart Chain"),
)

# Demo keys, as the README says: well known, for a demo database only.
KEYS = (
    ("demo", "demo-key-5f0c1d9e", 6000, True, False),
    ("limited", "limited-key-7a2b", 5, True, False),
    ("admin", "admin-key-c93e41aa", 6000, True, True),
    ("retired", "retired-key-00d1", 60, False, False),
)

FIRST = (
    "Lunar", "Pepe", "Shadow", "Golden", "Quantum", "Turbo", "Baby", "Meta", "Solar", "Frost",
    "Café", "Ångström", "Zażółć", "Łódź", "Señor", "İstanbul", "Ωmega", "Straße", "Đại", "Crème",
    "東京", "北京", "서울", "โครง", "हिन्दी", "مشروع", "שלום", "سكة", "Кот", "Солнце",
)  # fmt: skip
SECOND = (
    "Coin", "Token", "Inu", "Protocol", "Finance", "Swap", "DAO", "Chain", "Verse", "Cash",
    "🚀", "🐸", "👩‍🚀", "🦊💎", "🇺🇦", "ﷺ", "عملة", "מטבע", "コイン", "币",
)  # fmt: skip
NOTES = (
    "Audited in 2024.",
    "Contract not renounced; owner can mint.",
    "Line one\nline two\ttabbed — \"quoted\", it's fine",
    "ملاحظة: السيولة مقفلة",
    "   leading and trailing spaces   ",
    "",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́O",
    "👨‍👩‍👧‍👦 team of four",
)

# Rows that a careless export or import gets wrong.
SPECIAL: tuple[dict[str, Any], ...] = (
    {"name": "Int64 Max", "symbol": "MAX64", "total_supply": 2**63 - 1},
    {"name": "Two To 53 Plus One", "symbol": "P53", "total_supply": 2**53 + 1},
    {"name": "Minus Supply", "symbol": "NEG", "total_supply": -(2**63)},
    {"name": "Tiny Volume", "symbol": "TINY", "volume_24h": 5e-324},
    {"name": "Huge Volume", "symbol": "HUGE", "volume_24h": 1.7976931348623157e308},
    {"name": "Infinite Volatility", "symbol": "INF", "volatility": float("inf")},
    {"name": "Third", "symbol": "THIRD", "liquidity_usd": 1 / 3, "volume_24h": 0.1 + 0.2},
    {"name": "Whole Float", "symbol": "WHOLE", "volume_24h": 1000000.0, "liquidity_usd": 0.0},
    {"name": "O'Reilly \"Quote\"; DROP TABLE tokens;--", "symbol": "SQL'", "note": "%_\\"},
    {"name": "\u202eRight-to-left override\u202c", "symbol": "RLO"},
    {"name": "שלום עולם 🚀", "symbol": "שלום"},
    {"name": "عملة القمر", "symbol": "قمر"},
    {"name": "👩‍🚀👩🏽‍🚀 Astronaut", "symbol": "🚀🚀"},
    {"name": "\u00c9 composed E\u0301 decomposed", "symbol": "\u00c9"},
    {"name": "Old Timer", "symbol": "OLD", "launched_on": date(1, 1, 1)},
    {"name": "Far Future", "symbol": "FAR", "launched_on": date(9999, 12, 31)},
    {"name": "Empty Logo", "symbol": "EMPTY", "logo": b""},
    {"name": "All Bytes", "symbol": "BYTES", "logo": bytes(range(256))},
)


def make_logo(rng: random.Random) -> bytes:
    """Draw an 8 x 8 PNG, mirrored like an identicon."""
    colour = bytes(rng.randrange(256) for _ in range(3))
    rows = b""
    for _ in range(8):
        half = [rng.random() < 0.5 for _ in range(4)]
        rows += b"\0" + b"".join(colour if on else b"\xff\xff\xff" for on in half + half[::-1])

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    # Stored, not deflated: the bytes do not depend on the version of zlib.
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def make_token(rng: random.Random, number: int) -> dict[str, Any]:
    name = f"{rng.choice(FIRST)} {rng.choice(SECOND)}"
    if rng.random() < 0.5:
        name += f" {rng.randrange(1, 1000)}"
    created = NOW - timedelta(days=rng.uniform(20, 900), microseconds=rng.randrange(10**6))
    price = round(10 ** rng.uniform(-7, 4), 8)
    token = {
        "id": number,
        "chain_id": rng.randint(1, len(CHAINS)),
        "address": "0x" + rng.randbytes(20).hex(),
        "symbol": "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(rng.randint(3, 6))),
        "name": name,
        "launched_on": created.date() if rng.random() < 0.9 else None,
        "is_verified": rng.random() < 0.4,
        "note": rng.choice(NOTES) if rng.random() < 0.15 else None,
        "logo": make_logo(rng) if rng.random() < 0.3 else None,
        "total_supply": rng.choice((10**9, 21 * 10**14, 10**18, rng.randrange(2**53, 2**62))),
        "price_usd": price if rng.random() < 0.97 else None,
        "market": make_market(rng),
        **draw_metrics(rng),
        "created_at": created,
        "updated_at": created,
    }
    for field in ("volume_24h", "liquidity_usd", "volatility", "price_change_24h", "top10_share"):
        if rng.random() < 0.02:
            token[field] = None
    if number <= len(SPECIAL):
        token |= SPECIAL[number - 1]
    token["name_folded"] = token["name"].casefold()
    return token


def make_market(rng: random.Random) -> dict[str, Any] | None:
    if rng.random() < 0.3:
        return None
    return {
        "exchanges": rng.sample(("Uniswap", "Raydium", "PancakeSwap", "Куб", "交易所"), 2),
        "rank": rng.randrange(1, 9000),
        "spread": round(rng.uniform(0, 0.05), 6),
        "listed": rng.random() < 0.8,
        "tags": [],
    }


def make_history(
    rng: random.Random, token_id: int, score: float, label: Any, model: str
) -> Iterator[dict[str, Any]]:
    """Walk back from the present score; the last prediction is the newest."""
    count = rng.randint(MIN_HISTORY, MAX_HISTORY)
    ages = sorted((rng.uniform(1, 20 * 24) for _ in range(count)), reverse=True)
    drift = [0.0]
    for _ in range(count - 1):
        drift.append(drift[-1] * 0.8 + rng.gauss(0.0, 0.015))
    for age, step in zip(ages, reversed(drift), strict=True):
        value = round(min(max(score + step, 0.0), 1.0), 6)
        computed = NOW - timedelta(hours=age)
        yield {
            "token_id": token_id,
            "score": value,
            "label": label(value),
            "model": model,
            "source": "local" if rng.random() < 0.85 else "hosted",
            "computed_at": computed,
            "expires_at": computed + TTL,
        }


def make_predictions(rng: random.Random, tokens: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make every token's history in one order of time, and note the newest in the token."""
    local = get_scorer().local
    newest: dict[int, dict[str, Any]] = {}
    made: list[dict[str, Any]] = []
    for token in tokens:
        # A few tokens were never scored.
        if token["id"] % 400 == 0:
            continue
        centre = min(max(rng.gauss(0.43, 0.04), 0.35), 0.8)
        if rng.random() < 0.04:
            centre = rng.uniform(0.55, 0.8)
        history = list(make_history(rng, token["id"], round(centre, 6), local.label, local.name))
        newest[token["id"]] = history[-1] | {"count": len(history)}
        made += history
    for token in tokens:
        last = newest.get(token["id"])
        token["prediction_count"] = last["count"] if last else 0
        token["last_score"] = last["score"] if last else None
        token["last_label"] = last["label"] if last else None
        token["last_scored_at"] = last["computed_at"] if last else None
    made.sort(key=lambda row: (row["computed_at"], row["token_id"]))
    return [{"id": number, **row} for number, row in enumerate(made, start=1)]


def make_events(predictions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    odd = [row for row in predictions if row["label"] != "normal"][-600:]
    return [
        {
            "id": number,
            "kind": "prediction",
            "token_id": row["token_id"],
            "payload": {name: row[name] for name in ("score", "label", "model")},
            "created_at": row["computed_at"],
        }
        for number, row in enumerate(odd, start=41)
    ]


def load(connection: Connection) -> dict[str, int]:
    rng = random.Random(4)
    chains = [{"id": i, "slug": s, "name": n} for i, (s, n) in enumerate(CHAINS, start=1)]
    keys = [
        {
            "id": number,
            "name": name,
            "key_hash": hash_key(key),
            "rate_limit": limit,
            "is_active": active,
            "is_admin": admin,
            "created_at": NOW,
        }
        for number, (name, key, limit, active, admin) in enumerate(KEYS, start=1)
    ]
    tokens = [make_token(rng, number) for number in range(1, TOKENS + 1)]
    predictions = make_predictions(rng, tokens)
    runs = [
        {
            "id": i,
            "finished_at": NOW - timedelta(minutes=5 * (50 - i)),
            "rescored": rng.randint(50, 200),
            "anomalous": rng.randint(0, 9),
            "duration_ms": round(rng.uniform(40, 90), 1),
        }
        for i in range(1, 50)
    ]
    counters = [
        {"name": "cache_hits", "value": 48213},
        {"name": "cache_misses", "value": 15110},
        {"name": "hosted_ok", "value": 2207},
        {"name": "hosted_failed", "value": 31},
    ]
    for table, rows in (
        (Chain, chains),
        (Token, tokens),
        (Prediction, predictions),
        (Event, make_events(predictions)),
        (ApiKey, keys),
        (RefreshRun, runs),
        (Counter, counters),
    ):
        connection.execute(insert(table.__table__), rows)
    # The newest predictions of the past were deleted once: ids go on after the gap.
    connection.execute(text("UPDATE sqlite_sequence SET seq = seq + 37 WHERE name = 'predictions'"))
    return {"tokens": len(tokens), "predictions": len(predictions)}


def prepare_file(url: str, instance_path: str) -> Path:
    """Return the SQLite file of a database URL, removed if it was there."""
    path = Path(instance_path, make_url(url).database or "")
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quiet", action="store_true", help="print nothing")
    options = parser.parse_args()
    started = time.perf_counter()
    app = create_app({"SCHEDULER_ENABLED": False, "REPLICATE_API_TOKEN": ""})
    path = prepare_file(app.config["SQLALCHEMY_DATABASE_URI"], app.instance_path)
    with app.app_context():
        with db.engine.begin() as connection:
            create_tables(connection)
            counts = load(connection)
            create_views_and_triggers(connection)
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))
    if not options.quiet:
        summary = {**counts, "bytes": path.stat().st_size, "s": time.perf_counter() - started}
        print(json.dumps(summary))


if __name__ == "__main__":
    main()
