"""Rules about sockets: a Worker opens TCP connections outwards and is called by HTTP, no more."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.sources.source_code.view import CodeView

LISTEN = Rule(
    id="NET-LISTEN",
    level=Level.ERROR,
    title="Listens on a socket",
    why="a Worker is called by HTTP only, it cannot accept connections",
    tip="leave this part at the origin",
)
UDP = Rule(
    id="NET-UDP",
    level=Level.ERROR,
    title="Sends UDP",
    why="a Worker's sockets are TCP",
    tip="leave this part at the origin",
)
WEBSOCKET = Rule(
    id="NET-WEBSOCKET",
    level=Level.ERROR,
    title="Serves WebSockets",
    why="they need the server's own socket or loop, which a WSGI app does not get in a Worker",
    tip="leave these routes at the origin, or use server-sent events",
)
SMTP = Rule(
    id="NET-SMTP",
    level=Level.WARNING,
    title="Sends mail by SMTP",
    why="Workers cannot connect to port 25 and have no TLS of Python's (SMTP_SSL, starttls)",
    tip="send mail through an HTTP API",
)
TLS = Rule(
    id="NET-TLS",
    level=Level.WARNING,
    title="Makes its own TLS context",
    why="the Worker's ssl module has no OpenSSL: own certificates and versions are ignored",
    tip="let the HTTP client use its defaults; Cloudflare makes the TLS connection",
)
RULES = (LISTEN, UDP, WEBSOCKET, SMTP, TLS)

_LISTENERS = frozenset(
    {"socketserver.TCPServer", "socketserver.ThreadingTCPServer", "socketserver.UDPServer",
     "http.server.HTTPServer", "http.server.ThreadingHTTPServer", "asyncio.start_server",
     "asyncio.start_unix_server", "xmlrpc.server.SimpleXMLRPCServer", "grpc.server",
     "grpc.aio.server", "socket.create_server", "socket.socket().bind", "socket.socket().listen",
     "prometheus_client.start_http_server"}
)  # fmt: skip
_WEBSOCKETS = frozenset({"flask_socketio", "flask_sock", "flask_sockets", "simple_websocket",
                         "socketio", "geventwebsocket", "channels"})  # fmt: skip
_SMTP = frozenset({"smtplib.SMTP", "smtplib.SMTP_SSL", "smtplib.LMTP", "aiosmtplib.send",
                   "flask_mail.Mail", "flask_mailman.Mail",
                   "django.core.mail.send_mail"})  # fmt: skip
_TLS = frozenset({"ssl.create_default_context", "ssl.SSLContext", "ssl.wrap_socket"})


def check_network(view: CodeView) -> Iterator[Finding]:
    """Yield sockets a Worker does not have."""
    for site, _call, name in view.calls:
        if name in _LISTENERS:
            level = Level.ERROR if site.certain else Level.WARNING
            yield LISTEN.at(f"{name}()", site.path, site.line, level=level)
        elif name in _SMTP:
            yield SMTP.at(f"{name}()", site.path, site.line)
        elif name in _TLS:
            yield TLS.at(f"{name}()", site.path, site.line)
    for site in view.sites:
        if isinstance(site.node, ast.Attribute) and site.node.attr == "SOCK_DGRAM":
            yield UDP.at("socket.SOCK_DGRAM", site.path, site.line)
    seen: set[str] = set()
    for site, module in view.imports:
        top = module.partition(".")[0]
        if top in _WEBSOCKETS and top not in seen and top not in view.names.modules:
            seen.add(top)
            yield WEBSOCKET.at(f"import {module}", site.path, site.line)
