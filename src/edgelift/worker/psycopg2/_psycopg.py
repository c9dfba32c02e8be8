"""psycopg2._psycopg: the names that the original has in its C part."""

from __future__ import annotations

from ._adapting import *  # noqa: F403
from ._casting import *  # noqa: F403
from ._connection import connection  # noqa: F401
from ._cursor import cursor  # noqa: F401
from ._errors import *  # noqa: F403
from ._lobject import lobject  # noqa: F401
from ._objects import *  # noqa: F403

__version__ = "2.9.10 (dt dec pq3 ext lo64)"
__libpq_version__ = 150000
