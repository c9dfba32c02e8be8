"""A walk through an app with accounts: registering, logging in, writing, leaving; and its replay."""

import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from flask import Flask, redirect, request, session

from edgelift.model.inventory import Inventory, Route
from edgelift.stages.verify.browse import Browser
from edgelift.stages.verify.client import Client
from edgelift.stages.verify.replay import replay_flow

FORM = (
    '<form method=post><input type=hidden name=token value="{token}"><input name=username>'
    "<input type=password name=password></form>"
)


def make_app(prefix):
    """Return an app with accounts; `prefix` makes its tokens differ from another one's."""
    app = Flask("app")
    app.secret_key = prefix
    app.users, app.notes = {}, []
    add_accounts(app, prefix)
    add_notes(app)
    return app


def add_accounts(app, prefix):
    def check_token():
        return request.form.get("token") == session.get("token")

    def show_form():
        session["token"] = token = f"{prefix}-token-{len(app.users)}-{len(app.notes)}"
        return FORM.format(token=token)

    @app.route("/join", methods=["GET", "POST"])
    def join():
        if request.method == "GET":
            return show_form()
        if not check_token():
            return "token", 400
        if not request.form["username"]:
            return "name", 422
        app.users[request.form["username"]] = request.form["password"]
        return redirect("/login")

    @app.route("/login", methods=["GET", "POST"])
    def login():
        if request.method == "GET":
            return show_form()
        name = request.form["username"]
        if not check_token() or app.users.get(name) != request.form["password"]:
            return "no", 403
        session["user"] = name
        return redirect("/")


def add_notes(app):
    @app.post("/logout")
    def logout():
        session.pop("user", None)
        return redirect("/login")

    @app.route("/", methods=["GET", "POST"])
    def index():
        if "user" not in session:
            return redirect("/login")
        if request.method == "POST":
            app.notes.append(request.form["note"])
            return redirect("/")
        link = (
            '<a href="/note/0">n</a><a href="http://elsewhere.example/">e</a>' if app.notes else ""
        )
        leave = '<form method=post action="/logout"></form>'
        return f"{link}<form method=post><input name=note></form>{leave}"

    @app.get("/note/<int:number>")
    def note(number):
        return app.notes[number]


@pytest.fixture
def serve():
    """Return a function that serves an app and returns its address."""
    stops = []

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_args):
            pass

    def start(app):
        server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        stops.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in stops:
        server.shutdown()
        thread.join()
        server.server_close()


def list_routes(app):
    return tuple(
        Route(
            rule=rule.rule.replace("<int:number>", "{number}"),
            methods=tuple(sorted(rule.methods - {"HEAD", "OPTIONS"})),
            endpoint=rule.endpoint,
            parameters=dict.fromkeys(rule.arguments, "int"),
        )
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
    )


def walk(url, app):
    with Client(url) as client:
        inventory = Inventory(framework="flask", entry="app:app", routes=list_routes(app))
        return Browser(client, inventory, {}).walk()


def test_an_account_is_made_and_used_and_left(serve):
    app = make_app("a")
    flow = walk(serve(app), app)
    assert list(app.users) == ["edgelift"]
    assert app.notes
    done = [f"{r.method} {r.path} {r.reply.status}" for r in flow.requests]
    for expected in ("POST /join 302", "POST /join 400", "POST /join 422", "POST /login 403",
                     "POST /login 302", "POST / 302", "GET /note/0 200"):  # fmt: skip
        assert expected in done
    assert done.index("POST /logout 302") > done.index("GET /note/0 200")
    assert all(r.rule for r in flow.requests)


def test_a_replay_uses_the_tokens_of_its_own_side(serve):
    flow = walk(serve(first := make_app("first")), first)
    second = make_app("second")
    replies = replay_flow(flow, serve(second), lambda: None, lambda _count: None)
    assert [r.status for r in replies] == [r.reply.status for r in flow.requests]
    assert (second.users, second.notes) == (first.users, first.notes)


def test_an_app_without_forms_gives_an_empty_flow(serve):
    app = Flask("app")
    app.add_url_rule("/", view_func=lambda: {"a": 1})
    assert walk(serve(app), app).requests == ()
