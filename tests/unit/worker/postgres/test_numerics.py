"""Binary numerics: exact whatever their length and the application's decimal context."""

from __future__ import annotations

import struct
from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelift.worker.postgres.numerics import decode_numeric, encode_numeric

# text, weight, places, groups: as numeric_send of PostgreSQL 15 makes them.
FORMS = [
    ("0", 0, 0, ()),
    ("0.00", 0, 2, ()),
    ("1", 0, 0, (1,)),
    ("10000", 1, 0, (1,)),
    ("12345.678", 1, 3, (1, 2345, 6780)),
    ("0.0001", -1, 4, (1,)),
    ("0.00001", -2, 5, (1000,)),
    ("9999.9999", 0, 4, (9999, 9999)),
    ("100000000.00", 2, 2, (1,)),
    ("1000000000001", 3, 0, (1, 0, 0, 1)),
]
numbers = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=60).map(tuple),
    st.integers(-50, 50),
)


@pytest.mark.parametrize(("text", "weight", "places", "groups"), FORMS, ids=[f[0] for f in FORMS])
@pytest.mark.parametrize("negative", [False, True])
def test_forms_are_those_of_the_server(text, weight, places, groups, negative) -> None:
    number = Decimal(f"-{text}" if negative else text)
    sign = 0x4000 if negative else 0
    form = struct.pack(f"!hhHH{len(groups)}H", len(groups), weight, sign, places, *groups)
    assert encode_numeric(number) == form
    assert decode_numeric(form) == number
    assert decode_numeric(form).as_tuple().exponent == -places or places == 0


@settings(max_examples=300, deadline=None)
@given(numbers)
def test_every_number_comes_back_with_its_places(number: Decimal) -> None:
    found = decode_numeric(encode_numeric(number))
    assert found.compare_total(found) == 0
    assert found.is_signed() == number.is_signed()
    assert found == number
    exponent = int(number.as_tuple().exponent)
    if exponent < 0:
        assert found.as_tuple().exponent == exponent


@settings(max_examples=100, deadline=None)
@given(numbers.filter(bool))
def test_outer_groups_are_never_zero(number: Decimal) -> None:
    form = encode_numeric(number)
    (count,) = struct.unpack_from("!h", form)
    groups = struct.unpack_from(f"!{count}H", form, 8)
    assert len(form) == 8 + 2 * count
    assert groups[0]
    assert groups[-1]
    assert max(groups) <= 9999


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0", "0"),
        ("100000", "1.0E+5"),  # whole groups are what the server sends, as asyncpg shows them
        ("1e20", "1E+20"),
        ("12345678901234567890123456789012340000", "1.234567890123456789012345678901234E+37"),
        ("5.000", "5.000"),
    ],
)
def test_shown_form(text: str, shown: str) -> None:
    assert str(decode_numeric(encode_numeric(Decimal(text)))) == shown


@pytest.mark.parametrize("text", ["7" * 5000, "1e5000", "0." + "3" * 5000, "9" * 40 + "e40"])
def test_numbers_longer_than_an_int_may_be_read_from_text(text: str) -> None:
    assert decode_numeric(encode_numeric(Decimal(text))) == Decimal(text)


def test_the_applications_context_rounds_nothing() -> None:
    number = Decimal("12345678901234567890.1234567890")
    with localcontext(Context(prec=3)):
        assert decode_numeric(encode_numeric(number)).as_tuple() == number.as_tuple()


@pytest.mark.parametrize(
    ("value", "sign"),
    [("NaN", 0xC000), ("-NaN", 0xC000), ("Infinity", 0xD000), ("-Infinity", 0xF000)],
)
def test_specials(value: str, sign: int) -> None:
    form = struct.pack("!hhHH", 0, 0, sign, 0)
    assert encode_numeric(Decimal(value)) == form
    assert str(decode_numeric(form)) == value.removeprefix("-" if "N" in value else "~")


@pytest.mark.parametrize(
    ("text", "word"), [("1e-16384", "small"), ("1e131072", "large"), ("-1e400000", "large")]
)
def test_what_has_no_form_is_refused(text: str, word: str) -> None:
    with pytest.raises(ValueError, match=f"exponent is too {word}"):
        encode_numeric(Decimal(text))


@pytest.mark.parametrize("text", ["1e-16383", "1e131071"])
def test_the_widest_numbers_have_a_form(text: str) -> None:
    assert decode_numeric(encode_numeric(Decimal(text))) == Decimal(text)


@pytest.mark.parametrize("size", range(10))
def test_a_cut_form_is_no_number(size: int) -> None:
    form = encode_numeric(Decimal("12.5"))[:-1]
    with pytest.raises(struct.error):
        decode_numeric(form[:size])
