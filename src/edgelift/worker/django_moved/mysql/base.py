"""The DatabaseWrapper that settings with `django.db.backends.mysql` lead to."""

from __future__ import annotations

from edgelift.worker.django_moved.wrapper import MovedMysql as DatabaseWrapper

__all__ = ["DatabaseWrapper"]
