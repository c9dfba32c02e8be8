"""A WSGI app whose paths are the corner cases of PEP 3333; run under gunicorn and under edgelift's server."""

import json

log = []


class Closing:
    """An iterable that notes its close()."""

    def __init__(self, name, items):
        self.name = name
        self.items = iter(items)

    def __iter__(self):
        return self

    def __next__(self):
        item = next(self.items)
        if isinstance(item, Exception):
            raise item
        return item

    def close(self):
        log.append(self.name)


def environ(environ, start_response):
    seen = {k: v for k, v in environ.items() if isinstance(v, (str, int, bool)) or k == "wsgi.version"}
    seen["body"] = environ["wsgi.input"].read().decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]


def one(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


def many(environ, start_response):
    start_response("201 Created", [("X-A", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b"a", b"", b"b", b"c"]


def generator(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first"
    yield b""
    yield b"second"


def late_start(environ, start_response):
    start_response("202 Accepted", [("X-Late", "yes")])
    yield b"late"


def written(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"written ")
    write(b"twice ")
    return [b"returned"]


def replaced(environ, start_response):
    start_response("200 OK", [("X-First", "1")])
    try:
        raise ValueError("replaced")
    except ValueError:
        import sys

        start_response("503 Service Unavailable", [("X-Second", "2")], sys.exc_info())
    return [b"sorry"]


def too_late(environ, start_response):
    start_response("200 OK", [("Content-Length", "3000000")])
    yield b"x" * 2_000_000
    try:
        raise ValueError("after the headers")
    except ValueError:
        import sys

        start_response("500 Oops", [], sys.exc_info())
    yield b"never"


def breaks(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Closing("breaks", [b"some", RuntimeError("on the way")])


def closed(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Closing("closed", [b"a", b"b"])


def raises(environ, start_response):
    raise RuntimeError("before anything")


def raises_after_start(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Closing("raises_after_start", [RuntimeError("before the first byte")])


def no_start(environ, start_response):
    return []


def starts_twice(environ, start_response):
    start_response("200 OK", [])
    start_response("200 OK", [])
    return [b"x"]


def bad_status(environ, start_response):
    start_response("fine", [])
    return [b"x"]


def bad_header(environ, start_response):
    start_response("200 OK", [("X-Bad", "a\r\nX-Injected: b")])
    return [b"x"]


def bad_header_name(environ, start_response):
    start_response("200 OK", [("X Bad", "a")])
    return [b"x"]


def latin_header(environ, start_response):
    start_response("200 OK", [("X-Name", "caf\xe9"), ("X-Space", "  padded ")])
    return [b"x"]


def hop_by_hop(environ, start_response):
    start_response("200 OK", [("Keep-Alive", "timeout=5"), ("Transfer-Encoding", "chunked"), ("X-A", "1")])
    return [b"x"]


def no_content(environ, start_response):
    start_response("204 No Content", [("Content-Length", "5"), ("X-A", "1")])
    return [b"hello"]


def not_modified(environ, start_response):
    start_response("304 Not Modified", [("Content-Length", "5"), ("ETag", '"x"')])
    return [b"hello"]


def too_long(environ, start_response):
    start_response("200 OK", [("Content-Length", "3")])
    return [b"he", b"llo"]


def text_body(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["text"]


def empty(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []


def echo(environ, start_response):
    data = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(data)))])
    return [data]


def lines(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    first = environ["wsgi.input"].readline()
    return [json.dumps([first.decode(), [line.decode() for line in environ["wsgi.input"]]]).encode()]


def file(environ, start_response):
    import io

    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return environ["wsgi.file_wrapper"](io.BytesIO(b"f" * 20000))


def show_log(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    seen, log[:] = list(log), []
    return [json.dumps(seen).encode()]


def app(environ_, start_response):
    name = environ_["PATH_INFO"].split("/")[1]
    return globals().get(name, environ)(environ_, start_response)
