import json

import pytest

from edgelift.stages.verify.binding import Bindings, mark_bindings, read_values, replace_value
from tests.unit.verify.replies import HTML, ask, say

OLD, NEW = "tok-aaaaaaaaaaaaaaaa", "tok-bbbbbbbbbbbbbbbb"


def carry(given, received, *later):
    """Return the later requests as they are sent to the server that answered `received`."""
    first, *rest = mark_bindings([ask("/first", reply=given), *later])
    bindings = Bindings()
    bindings.learn(first.reply, received)
    return [bindings.apply(request) for request in rest]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ask(f"/orders/{OLD}"), ask(f"/orders/{NEW}", rule=f"/orders/{OLD}")),
        (ask("/x", query=f"key={OLD}&a=1"), ask("/x", query=f"key={NEW}&a=1")),
        (
            ask("/x", headers=(("Authorization", f"Bearer {OLD}"),)),
            ask("/x", headers=(("Authorization", f"Bearer {NEW}"),)),
        ),
        (
            ask("/x", body=json.dumps({"key": OLD}).encode()),
            ask("/x", body=json.dumps({"key": NEW}).encode()),
        ),
    ],
)
def test_a_token_is_carried_over_wherever_it_is_used(request_, expected):
    (sent,) = carry(say({"token": OLD}), say({"token": NEW}), request_)
    assert (sent.path, sent.query, sent.headers, sent.body) == (
        expected.path, expected.query, expected.headers, expected.body
    )  # fmt: skip
    assert sent.bindings == (OLD,)


def test_cookies_and_words_of_a_page_are_carried_over():
    given = say(f'<input value="{OLD}">'.encode(), HTML, ("Set-Cookie", "s=cookie-1111; Path=/"))
    received = say(f'<input value="{NEW}">'.encode(), HTML, ("Set-Cookie", "s=cookie-2222; Path=/"))
    later = ask("/x", body=f"csrf={OLD}".encode(), headers=(("Cookie", "s=cookie-1111"),))
    (sent,) = carry(given, received, later)
    assert sent.body == f"csrf={NEW}".encode()
    assert sent.headers == (("Cookie", "s=cookie-2222"),)


def test_numbers_are_bound_as_whole_segments_and_only_when_named_as_ids():
    given, received = say({"id": 7, "count": 3}), say({"id": 12, "count": 9})
    sent = carry(given, received, ask("/items/7"), ask("/items/77"), ask("/pages/3"), ask("/x/7/y"))
    assert [r.path for r in sent] == ["/items/12", "/items/77", "/pages/3", "/x/12/y"]


def test_numbers_inside_json_keep_their_type():
    body = json.dumps({"item_id": 7, "label": "7", "amount": 70}).encode()
    (sent,) = carry(say({"id": 7}), say({"id": 8}), ask("/x", body=body))
    assert json.loads(sent.body) == {"item_id": 8, "label": "8", "amount": 70}


def test_equal_servers_change_nothing():
    request = ask("/items/7", query="a=1&a=2&b=", body=b"{bad json")
    (sent,) = carry(say({"id": 7}), say({"id": 7}), request)
    assert (sent.path, sent.query, sent.body) == (request.path, request.query, request.body)


def test_a_value_in_a_request_before_it_was_given_out_is_not_bound():
    requests = [ask("/items/7"), ask("/first", reply=say({"id": 7}))]
    assert [r.bindings for r in mark_bindings(requests)] == [(), ()]


def test_percent_encoded_values_are_found():
    assert replace_value(ask("/x/a%20b"), "a b", "c d").path == "/x/c%20d"


def test_read_values_survives_broken_json():
    assert read_values(say(b"{", ("Content-Type", "application/json"))) == {}
