"""What is read from a page, and what a browser sends of a form."""

import pytest

from edgelift.stages.verify.forms import PASSWORD, describe_manners, encode, read_page

PAGE = """<!doctype html><a href="/a?b=1">x</a><input name="stray">
<form action="/send" method="post">
<input type="hidden" name="csrf" value="tok&amp;en">
<input name="username"><input type="email" name="mail"><input type="password" name="pw">
<input name="title" value="kept" maxlength="2"><input name="long" maxlength="5">
<textarea name="body">
old</textarea>
<select name="kind"><option value="">choose<option value="a"><option value="b" selected></select>
<select name="none"></select>
<input type="radio" name="r" value="1"><input type="radio" name="r" value="2" checked>
<input type="radio" name="r" value="3"><input type="checkbox" name="agree">
<input type="number" name="n" min="3"><input type="date" name="day">
<input name="off" disabled><input type="button" name="b" value="1"><input type="reset" name="c">
<button name="do" value="first">Go</button><input type="submit" name="do" value="second">
</form><form><input type="search" name="q"></form>"""


def read(manner):
    return [(name, value) for name, value, _ in read_page(PAGE)[1][0].fill(manner)]


def test_links_and_forms_are_read():
    links, forms = read_page(PAGE)
    assert links == ["/a?b=1"]
    assert [(f.action, f.method, f.multipart) for f in forms] == [
        ("/send", "POST", False),
        ("", "GET", False),
    ]
    assert forms[1].names == ("q",)
    assert list(describe_manners(forms[0])) == ["empty", "without hidden fields", "filled"]
    assert list(describe_manners(forms[1])) == ["empty", "filled"]


def test_a_form_is_filled_as_a_person_would():
    sent = dict(read("filled"))
    assert sent.pop("body").startswith("old\nFirst line")
    assert sent == {
        "csrf": "tok&en",
        "username": "edgelift",
        "mail": "edgelift@example.com",
        "pw": PASSWORD,
        "title": "ke",
        "long": "edgel",
        "kind": "b",
        "none": "",
        "r": "2",
        "agree": "on",
        "n": "3",
        "day": "2024-02-29",
        "do": "first",
    }


def test_mistakes_keep_the_rest():
    empty = dict(read("empty"))
    assert "agree" not in empty
    assert {empty[name] for name in ("username", "mail", "pw", "title", "body", "n")} == {""}
    assert (empty["csrf"], empty["kind"]) == ("tok&en", "b")
    assert dict(read("without hidden fields")).keys() == dict(read("filled")).keys() - {"csrf"}


@pytest.mark.parametrize("multipart", [False, True])
def test_the_app_reads_what_was_filled_in(multipart):
    from flask import Flask, request

    enctype = ' enctype="multipart/form-data"' if multipart else ""
    form = read_page(
        f'<form method="post"{enctype}><textarea name="body"></textarea><input type="file" name="f">'
        '<input type="hidden" name="t" value="ü&=">'
    )[1][0]
    headers, body = encode(form, form.fill())
    with Flask("app").test_request_context(
        method="POST", data=body, content_type=dict(headers)["Content-Type"]
    ):
        assert request.form["t"] == "ü&="
        assert request.form["body"].count("\r\n") == 1
        assert [file.filename for file in request.files.values()] == ["edgelift.txt"] * multipart
