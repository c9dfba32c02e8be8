"""Types and versions as MySQL spells them; defaults of MySQL 8, which prints them differently."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgelift.model.origin_schema import OriginType
from edgelift.sources.mysql.catalogue_columns import _build_column, _Row, read_byte_defaults
from edgelift.sources.mysql.catalogue_keys import read_index_lines
from edgelift.sources.mysql.catalogue_objects import _collect_rights, _strip_schema
from edgelift.sources.mysql.connection import quote_name, quote_text, read_version
from edgelift.sources.mysql.mapping import apply_cast, choose_way
from edgelift.sources.mysql.types import read_type
from edgelift.sources.origin_database import Cast, Choices

MYSQL8 = read_version("8.0.36")
MYSQL57 = read_version("5.7.44-log")
MARIADB = read_version("10.11.19-MariaDB-0+deb12u1-log")


@pytest.mark.parametrize(
    ("written", "product", "numbers"),
    [
        ("10.11.19-MariaDB-0+deb12u1-log", "mariadb", (10, 11, 19)),
        ("5.5.5-10.3.1-MariaDB", "mariadb", (10, 3, 1)),
        ("8.0.36", "mysql", (8, 0, 36)),
        ("8.4.0-commercial", "mysql", (8, 4, 0)),
        ("8.0.11-TiDB-v7.5.0", "mysql", (8, 0, 11)),
    ],
)
def test_versions(written: str, product: str, numbers: tuple[int, ...]) -> None:
    found = read_version(written)
    assert (found.product, found.numbers) == (product, numbers)


def test_a_version_of_the_other_product_never_counts() -> None:
    assert MYSQL8.has(mysql=(8, 0, 16))
    assert not MYSQL8.has(mariadb=(1, 0))
    assert MARIADB.has(mariadb=(10, 11))
    assert not MARIADB.has(mysql=(5, 0))


@pytest.mark.parametrize(
    ("name", "written", "expected"),
    [
        ("int", "int(10) unsigned zerofill", ("int", (10,), True)),
        ("int", "int unsigned", ("int", (), True)),
        ("decimal", "decimal(10,2)", ("decimal", (10, 2), False)),
        ("tinyint", "tinyint(1)", ("tinyint", (1,), False)),
        ("datetime", "datetime(6)", ("datetime", (6,), False)),
        ("geomcollection", "geomcollection", ("geometrycollection", (0,), False)),
        ("double", "double", ("double", (), False)),
    ],
)
def test_types(name: str, written: str, expected: tuple[str, tuple[int, ...], bool]) -> None:
    found = read_type(name, written)
    assert (found.name, found.arguments, found.unsigned) == expected


def test_members() -> None:
    written = "enum('','a,b','it''s','back\\\\slash','line\\nfeed','unsigned )(')"
    found = read_type("enum", written)
    assert found.members == ("", "a,b", "it's", "back\\slash", "line\nfeed", "unsigned )(")
    assert not found.unsigned


def column_of_mysql8(
    kind: str, default: str | None, extra: str = "", generated: str = ""
) -> object:
    row = _Row("t", "c", kind, kind, default, "YES", extra, generated, "", "", "")
    return _build_column(row, read_type(kind, kind), MYSQL8)


@pytest.mark.parametrize(
    ("kind", "default", "extra", "expected"),
    [
        ("varchar", "it's", "", "'it''s'"),
        ("varchar", "", "", "''"),
        ("varchar", "NULL", "", "'NULL'"),
        ("varchar", "back\\slash", "", "'back\\\\slash'"),
        ("int", "-5", "", "-5"),
        ("decimal", "1.50", "", "1.50"),
        ("bit", "b'101'", "", "b'101'"),
        ("date", "2020-01-01", "", "'2020-01-01'"),
        ("datetime", "CURRENT_TIMESTAMP(3)", "DEFAULT_GENERATED", "CURRENT_TIMESTAMP(3)"),
        ("timestamp", "CURRENT_TIMESTAMP", "", "CURRENT_TIMESTAMP"),  # 5.7
        ("varchar", "CURRENT_TIMESTAMP", "", "'CURRENT_TIMESTAMP'"),
        ("varchar", "concat(_utf8mb4\\'a\\',1)", "DEFAULT_GENERATED", "concat(_utf8mb4'a',1)"),
        ("varbinary", "0x00FF", "", "X'00FF'"),
        ("int", None, "", None),
    ],
)
def test_defaults_of_mysql(
    kind: str, default: str | None, extra: str, expected: str | None
) -> None:
    assert column_of_mysql8(kind, default, extra).default == expected  # type: ignore[attr-defined]


def test_generated_columns_and_updates_of_mysql() -> None:
    found = column_of_mysql8("int", None, "STORED GENERATED", "(`a` = _utf8mb4\\'x\\')")
    assert (found.generated, found.generated_kind) == ("(`a` = _utf8mb4'x')", "stored")  # type: ignore[attr-defined]
    now = column_of_mysql8(
        "datetime",
        "CURRENT_TIMESTAMP",
        "DEFAULT_GENERATED on update CURRENT_TIMESTAMP",
    )
    assert (now.on_update, now.generated) == ("CURRENT_TIMESTAMP", None)  # type: ignore[attr-defined]


def test_defaults_of_bytes() -> None:
    written = (
        b"CREATE TABLE `t` (\n  `a` varbinary(9) DEFAULT '\\0\xff,\\n''\\\\',\n"
        b"  `b``c` binary(2) NOT NULL DEFAULT 'x\\0' COMMENT 'DEFAULT ''y''',\n"
        b"  `n` int(11) DEFAULT 5\n) ENGINE=InnoDB"
    )
    assert read_byte_defaults(written) == {"a": "X'00ff2c0a275c'", "b`c": "X'7800'"}


def test_index_lines() -> None:
    written = "CREATE TABLE `t` (\n  `KEY` int,\n  PRIMARY KEY (`a`),\n  KEY `k``x` (`KEY`) USING BTREE\n)"
    assert read_index_lines(written) == {
        "PRIMARY": "PRIMARY KEY (`a`)",
        "k`x": "KEY `k``x` (`KEY`) USING BTREE",
    }


def test_only_names_lose_their_database() -> None:
    query = "select `d`.`t`.`a`,'`d`.`t`',\"`d`.x\",'it''s `d`.' from `d`.`t`"
    assert _strip_schema(query, "d") == "select `t`.`a`,'`d`.`t`',\"`d`.x\",'it''s `d`.' from `t`"


@pytest.mark.parametrize(
    ("grant", "covered"),
    [
        ("GRANT SELECT, TRIGGER ON *.* TO `u`@`%`", True),
        ("GRANT TRIGGER ON `shop`.* TO `u`@`%`", True),
        ("GRANT TRIGGER ON `sh%`.* TO `u`@`%`", True),
        ("GRANT TRIGGER ON `s_op`.* TO `u`@`%`", True),
        ("GRANT TRIGGER ON `s\\_op`.* TO `u`@`%`", False),
        ("GRANT TRIGGER ON `shop`.`t` TO `u`@`%`", False),
        ("GRANT TRIGGER ON `other`.* TO `u`@`%`", False),
        ("GRANT `role` TO `u`@`%`", False),
    ],
)
def test_grants(grant: str, covered: bool) -> None:
    assert ("TRIGGER" in _collect_rights([grant], "shop")) is covered


def test_quoting() -> None:
    assert quote_name("a`b") == "`a``b`"
    assert quote_text("ü'\\") == "_utf8mb4 X'c3bc275c'"
    assert quote_text("") == "''"


FLOAT = OriginType(name="float", written="float")


def test_floats_are_widened_by_what_the_server_knows() -> None:
    def read(version: str, kind: OriginType = FLOAT) -> str:
        return choose_way(kind, Choices(), read_version(version)).expression

    assert read("8.0.36") == read("10.3.1-MariaDB") == "CAST({} AS DOUBLE)"
    assert read("5.7.44") == read("8.0.16") == "({} * 1E0)"
    assert read("8.0.36", OriginType(name="double", written="double")) == "{}"


@pytest.mark.parametrize(
    ("kind", "to", "op"),
    [
        ("int", "text", "int_text"),
        ("bigint", "null", "refused"),
        ("decimal", "text", "decimal_text"),
        ("decimal", "scaled", "decimal_scaled"),
        ("decimal", "integer", "decimal_scaled"),
        ("decimal", "real", "float"),
        ("float", "numeric", "decimal_real15"),
        ("varchar", "integer", "int"),
        ("varchar", "scaled", "decimal_scaled"),
        ("time", "integer", "interval"),
        ("datetime", "unix_ms", "timestamp"),
        ("datetime", "integer", "timestamp"),
        ("date", "unix", "date"),
        ("blob", "hex", "text"),
        ("blob", "unix", "refused"),
        ("bit", "text", "bit"),
        ("bit", "integer", "bit"),
        ("point", "text", "text"),
        ("point", "json", "text"),
        ("point", "real", "refused"),
        ("json", "blob", "blob"),
        ("year", "text", "int_text"),
        ("int", "nonsense", "refused"),
    ],
)
def test_casts(kind: str, to: str, op: str) -> None:
    found = OriginType(name=kind, written=kind)
    way = apply_cast(found, choose_way(found, Choices(), MARIADB), Cast(to=to), MARIADB)
    assert way.op == op
    assert (way.argument == "SCHEMA-CAST") is (op == "refused")


def test_unsigned_numbers_that_may_be_null() -> None:
    big = OriginType(name="bigint", written="bigint unsigned", unsigned=True)
    way = apply_cast(big, choose_way(big, Choices(), MARIADB), Cast(to="null"), MARIADB)
    assert way.expression == "IF({} < 9223372036854775808, {}, NULL)"
    assert way.may_be_null


PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "mysql.md"


def list_documented() -> list[tuple[str, str, str, str]]:
    """Return (type, op, declared, stated) of the page's table."""
    table = PAGE.read_text().partition("<!-- types:")[2].partition("<!-- /types -->")[0]
    rows = [line.strip("|").split("|") for line in table.split("\n") if line.startswith("| `")]
    return [
        (name, *(cell.strip() for cell in row[1:]))  # type: ignore[misc]
        for row in rows
        for name in re.findall(r"`([^`]+)`", row[0])
    ]


@pytest.mark.parametrize(("written", "op", "declared", "stated"), list_documented())
def test_the_page_says_how_types_travel(written: str, op: str, declared: str, stated: str) -> None:
    way = choose_way(read_type(written.partition("(")[0], written), Choices(), MARIADB)
    assert (way.op, way.target) == (op, declared)
    assert way.loss.endswith(stated)
    assert bool(way.loss) is bool(stated)
