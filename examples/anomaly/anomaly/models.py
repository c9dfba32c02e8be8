"""Tables."""

from __future__ import annotations

import warnings
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .clock import utc_now
from .extensions import db

# Eight decimals of a price fit a double; SQLite has no exact type to offer.
warnings.filterwarnings("ignore", ".*does \\*not\\* support Decimal objects natively.*", SAWarning)

LABELS = ("normal", "suspicious", "anomalous")


class Chain(db.Model):
    __tablename__ = "chains"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(20), unique=True)
    name: Mapped[str] = mapped_column(String(60))


class Token(db.Model):
    __tablename__ = "tokens"
    __table_args__ = (
        UniqueConstraint("chain_id", "address"),
        CheckConstraint("holders >= 0", name="holders_not_negative"),
        CheckConstraint("is_verified IN (0, 1)", name="is_verified_boolean"),
        CheckConstraint("length(symbol) BETWEEN 1 AND 16", name="symbol_length"),
        Index("ix_tokens_last_scored_at", "last_scored_at"),
        Index(
            "ix_tokens_unverified",
            "name_folded",
            sqlite_where=text("is_verified = 0"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    chain_id: Mapped[int] = mapped_column(ForeignKey("chains.id", ondelete="RESTRICT"))
    address: Mapped[str] = mapped_column(String(42))
    symbol: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(120))
    name_folded: Mapped[str] = mapped_column(String(240))
    launched_on: Mapped[date | None] = mapped_column(Date)
    is_verified: Mapped[bool] = mapped_column(default=False, server_default=text("0"))
    note: Mapped[str | None] = mapped_column(Text)
    logo: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    total_supply: Mapped[int] = mapped_column(BigInteger)
    price_usd: Mapped[Decimal | None] = mapped_column(Numeric(20, 8))
    market: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    holders: Mapped[int]
    tx_count_24h: Mapped[int]
    volume_24h: Mapped[float | None]
    liquidity_usd: Mapped[float | None]
    volatility: Mapped[float | None]
    price_change_24h: Mapped[float | None]
    top10_share: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)
    # Kept by the trigger tokens_after_prediction (schema.py).
    prediction_count: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    last_score: Mapped[float | None]
    last_label: Mapped[str | None] = mapped_column(String(12))
    last_scored_at: Mapped[datetime | None] = mapped_column(DateTime)

    chain: Mapped[Chain] = relationship(lazy="joined", innerjoin=True)

    @property
    def price_text(self) -> str | None:
        """The price as people write it: 0.00000012, not 1.2E-7."""
        return None if self.price_usd is None else f"{self.price_usd:f}"


class Prediction(db.Model):
    __tablename__ = "predictions"
    __table_args__ = (
        CheckConstraint("score >= 0 AND score <= 1", name="score_range"),
        CheckConstraint("label IN ('normal', 'suspicious', 'anomalous')", name="label_known"),
        Index("ix_predictions_token_id_id", "token_id", "id"),
        Index(
            "ix_predictions_anomalous",
            "computed_at",
            sqlite_where=text("label = 'anomalous'"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("tokens.id", ondelete="CASCADE"))
    score: Mapped[float]
    label: Mapped[str] = mapped_column(String(12))
    model: Mapped[str] = mapped_column(String(60))
    source: Mapped[str] = mapped_column(String(10))
    computed_at: Mapped[datetime] = mapped_column(DateTime)
    expires_at: Mapped[datetime] = mapped_column(DateTime)


class Event(db.Model):
    """The live feed; written by triggers, pruned by the refresh job."""

    __tablename__ = "events"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    token_id: Mapped[int | None] = mapped_column(ForeignKey("tokens.id", ondelete="SET NULL"))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(DateTime)


class ApiKey(db.Model):
    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint("rate_limit > 0", name="rate_limit_positive"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    rate_limit: Mapped[int]
    is_active: Mapped[bool] = mapped_column(default=True)
    is_admin: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(DateTime)


class RateWindow(db.Model):
    """How often a key was used in one minute; `minute` counts from 1970."""

    __tablename__ = "rate_windows"

    key_id: Mapped[int] = mapped_column(
        ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True
    )
    minute: Mapped[int] = mapped_column(primary_key=True)
    hits: Mapped[int]


class Counter(db.Model):
    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int]


class RefreshRun(db.Model):
    __tablename__ = "refresh_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    finished_at: Mapped[datetime] = mapped_column(DateTime)
    rescored: Mapped[int]
    anomalous: Mapped[int]
    duration_ms: Mapped[float]
