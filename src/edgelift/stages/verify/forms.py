"""Reads the links and forms of an HTML page and fills the forms in, as `browse` needs them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

from edgelift.model.flows import Headers

PASSWORD = "Edgelift-1-secret"  # noqa: S105 - of an account that exists in scratch copies only
_BOUNDARY = "edgelift-form-boundary"
_UPLOAD = b"edgelift upload, one line\n"
_BY_KIND = {
    "email": "edgelift@example.com",
    "url": "https://example.com/edgelift",
    "tel": "+15550100",
    "date": "2024-02-29",
    "datetime-local": "2024-02-29T12:30",
    "time": "12:30",
    "month": "2024-02",
    "week": "2024-W09",
    "color": "#336699",
    "number": "7",
    "range": "7",
    "checkbox": "on",
}
_BY_NAME = (
    (re.compile(r"e-?mail", re.IGNORECASE), _BY_KIND["email"]),
    (re.compile(r"url|website|link", re.IGNORECASE), _BY_KIND["url"]),
    (re.compile(r"date|birth|due", re.IGNORECASE), _BY_KIND["date"]),
    (re.compile(r"phone|mobile", re.IGNORECASE), _BY_KIND["tel"]),
    (re.compile(r"price|amount|number|count|quantity|year|age$", re.IGNORECASE), "7"),
    (re.compile(r"user|login|nick|handle", re.IGNORECASE), "edgelift"),
)
_TEXT = "First line, <b>bold</b> & 'quoted'.\nSecond line: ü ☃"
_WRITTEN = frozenset({"text", "search", "email", "url", "tel", "password", "textarea"})
_CLICKED = frozenset({"submit", "image"})
_INERT = frozenset({"reset", "button"})


@dataclass(frozen=True)
class Field:
    """One control of a form: `kind` is its type, `value` what the page put in."""

    name: str
    kind: str
    value: str = ""
    checked: bool = False
    smallest: str = ""
    longest: int | None = None


@dataclass
class Form:
    """A form: where it goes, how, and its controls in the page's order."""

    action: str = ""
    method: str = "GET"
    multipart: bool = False
    fields: list[Field] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of its controls, which tell one form from another."""
        return tuple(sorted({control.name for control in self.fields}))

    @property
    def has_hidden(self) -> bool:
        """Return whether the page put something into the form that nobody sees, as a token."""
        return any(control.kind == "hidden" for control in self.fields)

    def fill(self, manner: str = "filled") -> list[tuple[str, str, str]]:
        """Return (name, value, kind) of what a browser sends.

        `manner` is `filled`, `empty` (nothing written) or `without hidden fields`.
        """
        sent: dict[str, tuple[str, str, str]] = {}
        left_out = {"empty": "checkbox", "without hidden fields": "hidden"}.get(manner)
        for position, control in enumerate(self.fields):
            kind, key = control.kind, f"{control.name} {position}"
            if kind == left_out:
                continue
            if kind in _CLICKED:
                key = "the button"
            elif kind == "radio":
                key = f"radio {control.name}"
            if key in sent and not control.checked:
                continue
            empty = manner == "empty" and kind in _WRITTEN | {"number", "file"}
            sent[key] = (control.name, "" if empty else _choose_value(control), kind)
        return list(sent.values())


def _choose_value(control: Field) -> str:
    """Return what a person would leave in a control or write into it."""
    kind, value = control.kind, control.value
    if kind == "password":
        value = PASSWORD
    elif kind == "textarea":
        value = f"{value}\n{_TEXT}" if value else _TEXT
    elif not value and kind in {"text", "search"}:
        near = (text for pattern, text in _BY_NAME if pattern.search(control.name))
        value = next(near, f"edgelift {control.name}")
    elif not value:
        value = _BY_KIND.get(kind, "")
    if kind in {"number", "range"} and not control.value:
        value = control.smallest or value
    return _shorten(control, value)


def _shorten(control: Field, text: str) -> str:
    return text if control.longest is None else text[: control.longest]


def encode(form: Form, sent: list[tuple[str, str, str]]) -> tuple[Headers, bytes]:
    """Return the header and the body of a form that is posted; line ends are those of browsers."""
    pairs = [(name, value.replace("\r\n", "\n").replace("\n", "\r\n")) for name, value, _ in sent]
    if not form.multipart:
        return (("Content-Type", "application/x-www-form-urlencoded"),), urlencode(pairs).encode()
    body = b""
    for (name, value), (*_, kind) in zip(pairs, sent, strict=True):
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
        if kind == "file":
            head += '; filename="edgelift.txt"\r\nContent-Type: text/plain'
        content = _UPLOAD if kind == "file" else value.encode()
        body += f"{head}\r\n\r\n".encode() + content + b"\r\n"
    kind_header = f"multipart/form-data; boundary={_BOUNDARY}"
    return (("Content-Type", kind_header),), body + f"--{_BOUNDARY}--\r\n".encode()


class _PageReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._area: dict[str, str] | None = None
        self._text = ""
        self._select: tuple[str, list[tuple[str, bool]]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "form":
            method = given.get("method", "get").upper()
            multipart = given.get("enctype", "").lower() == "multipart/form-data"
            self._form = Form(given.get("action", ""), method, multipart)
            self.forms.append(self._form)
        elif tag in {"input", "button"}:
            default = "text" if tag == "input" else "submit"
            self._add(given, given.get("type", default).lower(), "checked" in given)
        elif tag == "textarea":
            self._area, self._text = given, ""
        elif tag == "select":
            self._select = (given.get("name", ""), [])
        elif tag == "option" and self._select is not None:
            self._select[1].append((given.get("value", ""), "selected" in given))

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea" and self._area is not None:
            text = self._text.removeprefix("\r").removeprefix("\n")
            self._add({**self._area, "value": text}, "textarea", checked=False)
            self._area = None
        elif tag == "select" and self._select is not None:
            name, options = self._select
            chosen = [value for value, selected in options if selected and value]
            chosen = chosen or [value for value, _ in options if value] or [""]
            self._add({"name": name, "value": chosen[0]}, "select", checked=False)
            self._select = None

    def _add(self, given: dict[str, str], kind: str, checked: bool) -> None:  # noqa: FBT001
        if self._form is None or not given.get("name") or kind in _INERT or "disabled" in given:
            return
        longest = given.get("maxlength", "")
        self._form.fields.append(
            Field(
                name=given["name"],
                kind=kind,
                value=given.get("value", ""),
                checked=checked,
                smallest=given.get("min", ""),
                longest=int(longest) if longest.isdigit() else None,
            )
        )


def read_page(html: str) -> tuple[list[str], list[Form]]:
    """Return the links and the forms of a page, in its order."""
    reader = _PageReader()
    reader.feed(html)
    reader.close()
    return reader.links, reader.forms


def describe_manners(form: Form) -> Iterator[str]:
    """Yield the manners in which a form is worth sending, mistakes first."""
    if any(control.kind in _WRITTEN for control in form.fields):
        yield "empty"
    if form.has_hidden:
        yield "without hidden fields"
    yield "filled"
