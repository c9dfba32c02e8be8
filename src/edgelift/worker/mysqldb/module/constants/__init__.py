"""The protocol's numbers, by PyMySQL's modules."""

from __future__ import annotations

import sys

from pymysql.constants import CLIENT, CR, ER, FIELD_TYPE, FLAG

__all__ = ["CLIENT", "CR", "ER", "FIELD_TYPE", "FLAG"]
for _module in (CLIENT, CR, ER, FIELD_TYPE, FLAG):
    sys.modules[f"{__name__}.{_module.__name__.rpartition('.')[2]}"] = _module
