"""Session cookies: their content is compared, their time is not."""

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from edgelift.model.flows import Reply
from edgelift.stages.verify.compare import compare_cookies
from edgelift.stages.verify.noise import Judge, Noise
from edgelift.stages.verify.signed import read_signed
from tests.unit.verify.replies import ask


def sign(content, at, monkeypatch):
    """Return a session cookie as Flask signs it at a time."""
    app = Flask("app")
    app.secret_key = "key"
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: at)
        return serializer.dumps(content)


def set_cookie(value):
    return Reply(status=200, headers=(("Set-Cookie", f"session={value}; HttpOnly; Path=/"),))


@pytest.mark.parametrize(
    "content", [{"user": 1}, {"text": "x" * 500}, {}, {"_flashes": [("a", "ü")]}]
)
def test_the_content_of_a_session_is_read(content, monkeypatch):
    read = read_signed(sign(content, 1_800_000_000, monkeypatch))
    assert str(read).replace("[", "").count("x") == str(content).count("x")
    assert isinstance(read, dict)
    assert list(read) == list(content)


@pytest.mark.parametrize(
    "value", ["", "plain", "a.b.c", "e30.awXMzg.short", ".e30.awXMzg." + "x" * 27, "__.awXMzg." + "x" * 27]
)  # fmt: skip
def test_other_cookies_are_not_read(value):
    assert read_signed(value) is None


def test_another_time_is_no_difference_another_content_is(monkeypatch):
    first, later = (sign({"user": 1}, at, monkeypatch) for at in (1_800_000_000, 1_800_000_009))
    other = sign({"user": 2}, 1_800_000_009, monkeypatch)
    assert compare_cookies(set_cookie(first), set_cookie(later)) == []
    found = compare_cookies(set_cookie(first), set_cookie(other))
    assert [(d.kind, d.where) for d in found] == [("value", "cookie.session.signed.user")]
    found = compare_cookies(set_cookie(first), set_cookie("unsigned"))
    assert [(d.kind, d.where) for d in found] == [("cookie", "cookie.session.value")]


def test_noise_in_a_session_hides_only_its_own_place(monkeypatch):
    def reply(token, user, at):
        return set_cookie(sign({"csrf": token, "user": user}, at, monkeypatch))

    noise = Noise()
    noise.learn(ask(), "f#0", reply("a" * 40, 1, 1_800_000_000), reply("b" * 40, 1, 1_800_000_001))
    judge = Judge("f", noise)
    origin = reply("a" * 40, 1, 1_800_000_000)
    assert judge.judge(0, ask(), origin, reply("c" * 40, 1, 1_800_000_009)) == []
    found = judge.judge(0, ask(), origin, reply("c" * 40, 2, 1_800_000_009))
    assert [d.where for d in found] == ["cookie.session.signed.user"]
