"""The savings bank's own tests, against a running server."""

import json
import os
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

BASE = os.environ["BASE_URL"]


def call(path, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = Request(BASE + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urlopen(request, timeout=60) as answer:
            content = answer.read()
            if "json" in answer.headers.get("Content-Type", ""):
                return answer.status, json.loads(content or b"null")
            return answer.status, content.decode()
    except HTTPError as error:
        content = error.read()
        return error.code, json.loads(content) if b"{" in content[:1] else None


def test_owners():
    assert [owner["name"] for owner in call("/owners?name=A")[1]] == ["Ada Berg"]
    assert call("/owners?name=a")[1] == []
    first = call("/owners")[1][0]
    assert (first["phones"], first["born"]) == (["+46-1", "+46 2"], "1980-02-29")
    assert first["prefers"]["limits"] == {"day": 500}


def test_a_known_email_is_told_by_its_constraint():
    status, told = call("/owners", {"name": "x", "email": "bo@example.org"})
    assert (status, told["error"], told["code"]) == (409, "UniqueViolation", "23505")
    assert (told["constraint"], told["table"]) == ("owners_email_key", "owners")
    assert call("/owners", {"email": "new@example.org"})[1]["error"] == "NotNullViolation"
    assert call("/owners", {"name": "n", "email": "e" * 61})[0] == 400
    assert call("/owners", {"name": "n", "email": "d@x", "born": "2024-02-30"})[0] == 400
    status, made = call("/owners", {"name": "Cy", "email": "cy@example.org", "phones": ["1", 'a"b']})
    assert (status, made["phones"]) == (201, ["1", 'a"b'])


def test_a_transfer_moves_money_or_leaves_nothing():
    before = call("/accounts")[1]
    assert call("/transfers", {"from": 3, "to": 1, "amount": "5"})[1] == {
        "error": "not enough money", "constraint": "accounts_not_overdrawn"
    }  # fmt: skip
    assert call("/transfers", {"from": 1, "to": 99, "amount": 5})[0] == 404
    assert call("/accounts")[1] == before
    status, made = call("/transfers", {"from": 1, "to": 2, "amount": "12.345", "note": "x"})
    assert (status, len(made["bookings"])) == (201, 2)
    assert call("/accounts/1")[1]["account"]["balance"] == "237.66"
    booking = call("/accounts/2")[1]["bookings"][0]
    assert (booking["amount"], booking["tags"], booking["credit"]) == ("12.35", ["transfer"], True)
    assert booking["booked_at"] == "2024-06-01T12:30:00.250000"


def test_lines_that_fail_do_not_take_the_others_with_them():
    lines = [[1, 1.5, "a"], [3, -100], [1, 10**12], [77, 1], [2, "0.25"]]
    told = call("/bookings", {"lines": lines})[1]
    assert len(told["done"]) == 2
    assert told["failed"] == [[3, "23514"], [1, "22003"], [77, None]]


def test_accounts():
    made = call("/accounts", {"email": "bo@example.org", "number": "B-9", "balance": "7.5", "kind": "savings"})
    assert (made[0], made[1]["balance"]) == (201, "7.50")
    assert call("/accounts", {"email": "bo@example.org", "number": "B-9"})[1]["constraint"] == "accounts_number_key"
    assert call("/accounts", {"email": "no@example.org", "number": "N"})[0] == 404
    assert call("/accounts", {"email": "bo@example.org", "number": "B-10", "kind": "gold"})[0] == 400
    assert call(f"/accounts/{made[1]['id']}", method="DELETE")[0] == 409
    assert call("/owners/bo@example.org", method="DELETE")[1]["error"] == "ForeignKeyViolation"
    kinds = [account["kind"] for account in call("/accounts")[1]]
    assert kinds == sorted(kinds, key=["everyday", "savings", "closed"].index)


def test_imports_and_search():
    status, made = call("/imports", {"rows": [[1, 2, "10% off"], [2, "3.5", None]]})
    assert (status, [row["amount"] for row in made]) == (201, ["2.00", "3.50"])
    assert call("/imports", {"rows": [[1, 2, "a"], [555, 1, "b"]]})[1]["error"] == "ForeignKeyViolation"
    found = call("/search?note=" + quote("10\\%%"))[1]
    assert ["2.00"] == [amount for _id, amount in found]
    assert call("/search?min=1000")[1] == [[3, "1000.50"]]
    assert call("/search?since=2024-02-29T12:00&min=x")[0] == 400


def test_preferences_are_put_twice():
    assert call("/owners/zoe@x/prefers", {"language": "fr"}, "PUT")[1]["language"] == "fr"
    assert call("/owners/zoe@x/prefers", {"n": 1.50}, "PUT")[1] == {"prefers": {"n": 1.5}, "language": None}


def test_reports():
    told = call("/statistics")[1]
    assert told["months"][0][:1] == ["2024-01-01T00:00:00"]
    assert told["past"] is True
    assert [kind for kind, _count in told["kinds"]][0] == "everyday"
    text = call("/export")[1]
    assert text.startswith("A-1;")
    assert '100% ""interest""' in text
