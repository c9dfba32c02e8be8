"""Token anomaly detector: scores crypto tokens and shows the odd ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from flask import Flask

from . import cli, compression, errors, jobs
from .config import read_config
from .extensions import db
from .scoring import Scorer
from .views import register_blueprints

__version__ = "1.4.0"


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """Build the app; `overrides` replace configuration values (used by the unit tests)."""
    app = Flask(__name__, instance_relative_config=True)
    app.config.from_mapping(read_config())
    app.config.from_mapping(overrides or {})
    app.json.sort_keys = False
    app.json.ensure_ascii = False
    app.json.compact = True
    logging.basicConfig(level=app.config["LOG_LEVEL"])

    db.init_app(app)
    app.extensions["scorer"] = Scorer.from_config(app.config)
    errors.register_error_handlers(app)
    compression.register_compression(app)
    register_blueprints(app)
    cli.register_commands(app)
    jobs.init_jobs(app)
    return app
