"""Keys of requests: every source, from a WSGI environ and from an ASGI scope, hostile ones too."""

from __future__ import annotations

import pytest

from edgelift.worker.asgi import build_scope
from edgelift.worker.exchange import Request
from edgelift.worker.sharding.keys import build_reader, read_environ, read_key, read_scope
from edgelift.worker.wsgi import build_environ

# source, path, query, headers, key (None: there are several that differ)
CASES = [
    ("header:X-Tenant", "/", "", {"x-tenant": "a"}, "a"),
    ("header:X-Tenant", "/", "", {"x-tenant": "  a b "}, "a b"),
    ("header:x-tenant", "/", "", {"X-Tenant": "Å"}, "Å"),
    ("header:X-Tenant", "/", "", {"x-tenant": ""}, ""),
    ("header:X-Tenant", "/", "", {}, ""),
    ("header:X-Tenant", "/", "", {"x_tenant": "a"}, ""),
    ("query:tenant", "/", "tenant=a", {}, "a"),
    ("query:tenant", "/", "tenant=a%20b&x=1", {}, "a b"),
    ("query:tenant", "/", "Tenant=a", {}, ""),
    ("query:tenant", "/", "tenant=", {}, ""),
    ("query:tenant", "/", "tenant=a&tenant=a", {}, "a"),
    ("query:tenant", "/", "tenant=a&tenant=b", {}, None),
    ("query:tenant", "/", "tenant=%C3%A5", {}, "å"),
    ("cookie:firm", "/", "", {"cookie": "x=1; firm=a"}, "a"),
    ("cookie:firm", "/", "", {"cookie": 'firm="a"'}, "a"),
    ("cookie:firm", "/", "", {"cookie": "firm=a; firm=b"}, None),
    ("cookie:firm", "/", "", {"cookie": "afirm=a; firm"}, ""),
    ("cookie:firm", "/", "", {}, ""),
    ("host:{firm}.example.org", "/", "", {"host": "acme.example.org"}, "acme"),
    ("host:{firm}.example.org", "/", "", {"host": "ACME.Example.org:8443"}, "acme"),
    ("host:{firm}.example.org", "/", "", {"host": "acme.example.org."}, "acme"),
    ("host:{firm}.example.org", "/", "", {"host": "example.org"}, ""),
    ("host:{firm}.example.org", "/", "", {"host": "a.b.example.org"}, ""),
    ("host:{firm}.example.org", "/", "", {"host": "acme.example.org.evil.net"}, ""),
    ("host:{firm}.example.org", "/", "", {"host": "acmeXexample.org"}, ""),
    ("host:app-{firm}.example.org", "/", "", {"host": "app-7.example.org"}, "7"),
    ("path:/t/{firm}/", "/t/acme/x", "", {}, "acme"),
    ("path:/t/{firm}/", "/t/acme/", "", {}, "acme"),
    ("path:/t/{firm}/", "/t/acme", "", {}, "acme"),
    ("path:/t/{firm}/", "/t/a%2Fb/x", "", {}, "a/b"),
    ("path:/t/{firm}/", "/t//x", "", {}, ""),
    ("path:/t/{firm}/", "/t/", "", {}, ""),
    ("path:/t/{firm}/", "/x/t/acme/", "", {}, ""),
    ("path:/t/{firm}/", "/T/acme/", "", {}, ""),
    ("path:/{firm}", "/acme/orders", "", {}, "acme"),
    ("path:/t/{firm}/orders", "/t/acme/orders/7", "", {}, "acme"),
    ("path:/t/{firm}/orders", "/t/acme/parts", "", {}, ""),
    ("path:/t/{firm}/", "/t/%C3%A5/", "", {}, "å"),
]  # fmt: skip


@pytest.mark.parametrize("server", ["wsgi", "asgi"])
@pytest.mark.parametrize(("source", "path", "query", "headers", "key"), CASES)
def test_a_key_is_read(server, source, path, query, headers, key) -> None:
    flat = "\n".join(f"{name.lower()}\n{value}" for name, value in headers.items())
    request = Request("GET", path, query, flat, None, "http://localhost:80", 1)
    if server == "wsgi":
        asked = read_environ(build_environ(request))
    else:
        asked = read_scope(build_scope(request, {}))
    readers = [build_reader(source)]
    if key is None:
        with pytest.raises(ValueError, match="2 different keys"):
            read_key(readers, asked)
    else:
        assert read_key(readers, asked) == key


def test_two_headers_that_differ_lead_nowhere() -> None:
    request = Request("GET", "/", "", "x-tenant\na\nx-tenant\nb", None, "http://x", 1)
    with pytest.raises(ValueError, match="2 different keys"):
        read_key([build_reader("header:X-Tenant")], read_scope(build_scope(request, {})))
    # As WSGI servers do, the app is told both in one value, which is the key then.
    asked = read_environ(build_environ(request))
    assert read_key([build_reader("header:X-Tenant")], asked) == "a,b"


def test_the_first_source_that_has_a_key_counts() -> None:
    readers = [build_reader("header:X-Tenant"), build_reader("query:tenant")]
    for flat, query, key in (("x-tenant\na", "tenant=b", "a"), ("", "tenant=b", "b"), ("", "", "")):
        request = Request("GET", "/", query, flat, None, "http://x", 1)
        assert read_key(readers, read_environ(build_environ(request))) == key
