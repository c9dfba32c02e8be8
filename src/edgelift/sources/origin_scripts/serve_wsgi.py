"""Serve a WSGI app on a socket that is already listening: for origins whose Python has no gunicorn.

Runs under the origin's Python. Usage: serve_wsgi.py FD MODULE:OBJECT
"""

from __future__ import annotations

import importlib
import socket
import socketserver
import sys
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

# What gunicorn answers when an app raises (gunicorn.util.write_error), which the Worker answers
# too: otherwise an origin without gunicorn would seem to differ.
ERROR_PAGE = b"""<html>
  <head>
    <title>Internal Server Error</title>
  </head>
  <body>
    <h1><p>Internal Server Error</p></h1>
    \n  </body>
</html>
"""


class ThreadedServer(socketserver.ThreadingMixIn, WSGIServer):
    """wsgiref's server with a thread for each connection."""

    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    """wsgiref's handler without a reverse look-up of the peer and without an access log."""

    def address_string(self) -> str:
        """Return the peer's address as it is."""
        return str(self.client_address[0])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Drop the access log line."""


def load_app(entry: str) -> object:
    """Return the object of `module:object`, called when written `module:factory()`."""
    module, _, name = entry.partition(":")
    found: object = importlib.import_module(module)
    for part in name.removesuffix("()").split("."):
        found = getattr(found, part)
    return found() if name.endswith("()") and callable(found) else found


def main(arguments: list[str]) -> None:
    """Serve until the process is told to end."""
    descriptor, entry = arguments
    app = load_app(entry)
    server = ThreadedServer(("127.0.0.1", 0), QuietHandler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=int(descriptor))
    server.server_address = server.socket.getsockname()
    server.server_name, server.server_port = "127.0.0.1", server.server_address[1]
    server.setup_environ()
    server.set_app(app)  # type: ignore[arg-type]
    ServerHandler.error_status = "500 Internal Server Error"
    ServerHandler.error_headers = [("Content-Type", "text/html")]
    ServerHandler.error_body = ERROR_PAGE
    server.serve_forever()


if __name__ == "__main__":
    del sys.path[0]  # this folder must not shadow the origin's modules
    main(sys.argv[1:])
