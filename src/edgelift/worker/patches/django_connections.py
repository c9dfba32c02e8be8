"""Django opens a connection to a server for each request, as its own default is.

Without it CONN_MAX_AGE and pools of psycopg hand a request another one's connection, whose session
settings (time zone, isolation level) would be gone.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import Any


def install() -> None:
    """Patch the handler of settings.DATABASES when Django is among the packages."""
    if importlib.util.find_spec("django") is None:
        return
    from django.db.utils import ConnectionHandler

    handler: Any = ConnectionHandler
    configure = handler.configure_settings
    if hasattr(configure, "__wrapped__"):
        return

    @functools.wraps(configure)
    def configure_settings(self: Any, databases: Any) -> Any:
        configured = configure(self, databases)
        for settings in configured.values():
            settings["CONN_MAX_AGE"] = 0
            if isinstance(settings.get("OPTIONS"), dict):
                settings["OPTIONS"].pop("pool", None)
        return configured

    handler.configure_settings = configure_settings
