"""The dashboard and the health check."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, jsonify, render_template
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from ..extensions import db
from ..feed import read_last_id
from ..models import Chain, Token
from ..scoring import get_scorer
from ..stats import read_stats

blueprint = Blueprint("pages", __name__)

TOP = 15


@blueprint.get("/")
def dashboard() -> str:
    top = db.session.scalars(
        select(Token)
        .where(Token.last_score.is_not(None))
        .order_by(Token.last_score.desc(), Token.id)
        .limit(TOP)
    ).all()
    chains = db.session.scalars(select(Chain).order_by(Chain.name)).all()
    return render_template(
        "dashboard.html",
        stats=read_stats(),
        top=top,
        chains=chains,
        last_event_id=read_last_id(),
    )


@blueprint.get("/health")
def health() -> tuple[Response, int]:
    from .. import __version__

    try:
        db.session.execute(text("SELECT 1")).scalar_one()
        database, status = "ok", HTTPStatus.OK
    except SQLAlchemyError:
        database, status = "unavailable", HTTPStatus.SERVICE_UNAVAILABLE
    return jsonify(
        {
            "status": "ok" if status == HTTPStatus.OK else "degraded",
            "database": database,
            "model": get_scorer().primary,
            "version": __version__,
        }
    ), status
