"""Commands: `flask --app wsgi refresh`, `flask --app wsgi create-key NAME`."""

from __future__ import annotations

import secrets

import click
from flask import Flask

from .clock import utc_now
from .extensions import db
from .jobs import refresh_stale_tokens
from .keys import hash_key
from .models import ApiKey


def register_commands(app: Flask) -> None:
    @app.cli.command("refresh")
    def refresh_command() -> None:
        """Rescore the stalest tokens now."""
        click.echo(f"{refresh_stale_tokens()} tokens rescored")

    @app.cli.command("create-key")
    @click.argument("name")
    @click.option("--rate-limit", default=60, show_default=True, help="Requests per minute.")
    @click.option("--admin", is_flag=True)
    def create_key_command(name: str, rate_limit: int, admin: bool) -> None:
        """Make an API key and show it, this once."""
        key = secrets.token_urlsafe(32)
        db.session.add(
            ApiKey(
                name=name,
                key_hash=hash_key(key),
                rate_limit=rate_limit,
                is_admin=admin,
                created_at=utc_now(),
            )
        )
        db.session.commit()
        click.echo(key)
