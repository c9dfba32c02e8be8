"""inet and cidr as objects of the module ipaddress, for applications that ask for it."""

from __future__ import annotations

import ipaddress
from typing import Any

from ._adapting import QuotedString, register_adapter
from ._casting import new_array_type, new_type, register_type


def register_ipaddress(conn_or_curs: Any = None) -> None:
    """Read inet and cidr as ipaddress objects, and write those."""
    inet = new_type((869,), "INET", _cast_interface)
    cidr = new_type((650,), "CIDR", _cast_network)
    casters = (
        inet,
        new_array_type((1041,), "INET[]", inet),
        cidr,
        new_array_type((651,), "CIDR[]", cidr),
    )
    for caster in casters:
        register_type(caster, conn_or_curs)
    for kind in (
        ipaddress.IPv4Interface,
        ipaddress.IPv6Interface,
        ipaddress.IPv4Network,
        ipaddress.IPv6Network,
    ):
        register_adapter(kind, adapt_ipaddress)


def _cast_interface(text: str | None, _cursor: Any = None) -> Any:
    return None if text is None else ipaddress.ip_interface(text)


def _cast_network(text: str | None, _cursor: Any = None) -> Any:
    return None if text is None else ipaddress.ip_network(text)


def adapt_ipaddress(obj: Any) -> QuotedString:
    """Return the adapter of an address."""
    return QuotedString(str(obj))
