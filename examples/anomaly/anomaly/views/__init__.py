"""HTTP: one blueprint for each part of the API, one for pages."""

from __future__ import annotations

from flask import Flask

from . import api, pages, predict


def register_blueprints(app: Flask) -> None:
    app.register_blueprint(predict.blueprint)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(pages.blueprint)
