"""The DatabaseWrapper that settings with `django.db.backends.postgresql` lead to."""

from __future__ import annotations

from edgelift.worker.django_moved.wrapper import MovedPostgres as DatabaseWrapper

__all__ = ["DatabaseWrapper"]
