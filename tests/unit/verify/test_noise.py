import pytest

from edgelift.errors import UsageError
from edgelift.stages.verify.noise import Judge, Noise, parse_ignore
from tests.unit.verify.replies import HTML, ask, say

UUIDS = [f"6b0cd4a8-0d0f-4d63-9d5c-1f1c7a9f9b{i:02}" for i in range(10)]


def learn(first, second, request=None):
    noise = Noise()
    noise.learn(request or ask(), "f#0", first, second)
    return noise


def judge(noise, origin, target, request=None, rules=(), **fields):
    judge = Judge("f", noise, parse_ignore(rules), **fields)
    return judge, [d.kind for d in judge.judge(0, request or ask(), origin, target)]


def test_a_value_that_the_origin_changes_is_forgiven_for_every_position_of_a_list():
    noise = learn(say([{"at": 1}, {"at": 5}]), say([{"at": 2}, {"at": 5}]))
    told, found = judge(noise, say([{"at": 3}, {"at": 4}]), say([{"at": 8}, {"at": 9}]))
    assert found == []
    assert told.forgiven["noise"] == 2
    assert [m.pattern for m in noise.masks.values()] == ["body[*].at"]


def test_another_format_is_not_forgiven():
    noise = learn(say({"at": "2024-01-01T00:00:00Z"}), say({"at": "2024-01-02T00:00:00Z"}))
    good, bad = say({"at": "2024-02-01T00:00:00Z"}), say({"at": "2024-02-01 00:00:00"})
    assert judge(noise, good, good)[1] == []
    assert judge(noise, good, bad)[1] == ["format"]
    assert judge(noise, good, say({"at": None}))[1] == ["format"]


def test_null_is_forgiven_where_the_origin_says_null_sometimes():
    noise = learn(say({"at": None}), say({"at": 5}))
    assert judge(noise, say({"at": 1}), say({"at": None}))[1] == []


def test_noise_stays_on_its_route_and_place():
    noise = learn(say({"at": 1, "n": 1}), say({"at": 2, "n": 1}))
    assert judge(noise, say({"at": 1, "n": 1}), say({"at": 2, "n": 2}))[1] == ["value"]
    other = ask("/other")
    assert judge(noise, say({"at": 1}), say({"at": 2}), other)[1] == ["value"]


def test_a_changing_value_does_not_forgive_a_missing_field():
    noise = learn(say({"a": 0, "at": 1}), say({"a": 0, "at": 2}))
    assert judge(noise, say({"a": 0, "at": 1}), say({"a": 0}))[1] == ["missing"]


def test_a_list_of_changing_length_hides_what_it_holds_but_not_its_type():
    noise = learn(say({"x": [1]}), say({"x": [1, 2]}))
    assert judge(noise, say({"x": [1]}), say({"x": [7]}))[1] == []
    assert judge(noise, say({"x": [1]}), say({"x": {}}))[1] == ["type"]


def test_headers_cookies_and_lines_are_learned():
    first = say(b"a\nat 10:00\n", HTML, ("ETag", '"1"'), ("Set-Cookie", "s=abc; Path=/"))
    second = say(b"a\nat 10:01\n", HTML, ("ETag", '"2"'), ("Set-Cookie", "s=abd; Path=/"))
    noise = learn(first, second)
    third = say(b"a\nat 10:17\n", HTML, ("ETag", '"3"'), ("Set-Cookie", "s=xyz; Path=/"))
    assert judge(noise, first, third)[1] == []
    fourth = say(b"b\nat 10:17\n", HTML, ("ETag", 'W/"3"'), ("Set-Cookie", "s=xyz; Path=/a"))
    assert judge(noise, first, fourth)[1] == ["format", "cookie", "line"]


def test_an_identifier_must_come_back_as_it_was_given():
    request = ask()
    noise = learn(say({"id": UUIDS[0]}), say({"id": UUIDS[1]}))
    told = Judge("f", noise)
    assert told.judge(0, request, say({"id": UUIDS[2]}), say({"id": UUIDS[3]})) == []
    assert told.judge(1, request, say({"id": UUIDS[2]}), say({"id": UUIDS[3]})) == []
    (difference,) = told.judge(2, request, say({"id": UUIDS[2]}), say({"id": UUIDS[4]}))
    assert difference.kind == "identity"
    assert UUIDS[3] in difference.note


def test_a_flickering_status_is_believed_for_its_request_only():
    noise = Noise()
    noise.learn(ask(), "f#0", say({}), say({}, status=503))
    told = Judge("f", noise)
    assert told.judge(0, ask(), say({}), say({}, status=503)) == []
    assert [d.kind for d in told.judge(1, ask(), say({}), say({}, status=503))] == ["status"]


@pytest.mark.parametrize(
    ("rule", "forgiven"),
    [
        ("GET /x body.a", True),
        ("* /x a", True),
        ("GET /x body.list[*].a", False),
        ("GET /* body", True),
        ("POST /x body.a", False),
        ("GET /y body.a", False),
        ("GET /x status", False),
    ],
)
def test_declared_rules(rule, forgiven):
    told, found = judge(Noise(), say({"a": 1}), say({"a": 2}), rules=[rule])
    assert (found == []) is forgiven
    assert (told.used_rules == {rule}) is forgiven


def test_declared_rules_know_lists_and_headers():
    origin, target = say([{"a": 1}], ("X-A", "1")), say([{"a": 2}], ("X-A", "2"))
    assert judge(Noise(), origin, target, rules=["GET /x body[*].a", "GET /x header.X-A"])[1] == []


def test_a_rule_of_two_parts_is_refused():
    with pytest.raises(UsageError, match="cannot be read"):
        parse_ignore(["GET /x"])


def test_the_tolerance_is_used_and_its_use_told():
    told, found = judge(Noise(), say({"a": 1.0}), say({"a": 1.0000001}), tolerance=1e-6)
    assert found == []
    assert 0 < told.widest < 1e-6


def test_covered_places_are_known_above_and_below():
    noise = learn(say({"x": {"at": 1}}), say({"x": {"at": 2}}))
    told = Judge("f", noise, parse_ignore(["GET /x body.y"]))
    assert told.covers(0, ask(), "body.x.at")
    assert told.covers(0, ask(), "body.x")
    assert told.covers(0, ask(), "body.y.z")
    assert not told.covers(0, ask(), "body.z")
