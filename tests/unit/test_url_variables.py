"""Which variables lead an app to a copy of its database."""

from __future__ import annotations

import pytest

from edgelift.errors import OriginError
from edgelift.model.server_url import parse_server_url
from edgelift.project import DatabaseSection
from edgelift.sources.server_copies.url_variables import find_url_variables

ENVIRONMENT = {
    "U": "shop", "P": "p@ss", "H": "db", "HP": "db:6000", "PORT": "6000", "N": "shop",
    "URL": "postgresql+psycopg2://shop:word@db:6000/shop?application_name=a",
}  # fmt: skip
COPY = parse_server_url("postgresql://shop:word@db:6000/copy_1")
assert COPY is not None


@pytest.mark.parametrize(
    ("url", "env", "found"),
    [
        ("${URL}", "URL", {"URL": ENVIRONMENT["URL"].replace("/shop?", "/copy_1?")}),
        ("${URL}", None, {"URL": ENVIRONMENT["URL"].replace("/shop?", "/copy_1?")}),
        ("postgresql://${U}:${P}@${H}:${PORT}/${N}", None,
         {"U": "shop", "P": "word", "H": "db", "PORT": "6000", "N": "copy_1"}),
        ("postgresql://shop:word@${HP}/${N}", None, {"HP": "db:6000", "N": "copy_1"}),
        ("postgresql://shop:word@db:6000/${N}?sslmode=disable", None, {"N": "copy_1"}),
    ],
)  # fmt: skip
def test_the_variables_of_a_url(url: str, env: str | None, found: dict[str, str]) -> None:
    section = DatabaseSection(name="main", url=url, env=env)
    assert find_url_variables(section, COPY, ENVIRONMENT) == found


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://shop:word@db:6000/shop", "no variable sets the URL"),
        ("postgresql://${U}:${P}@${H}:6000/shop", "no variable sets the URL"),
        ("postgresql://other:word@db:6000/${N}", "no variable sets the user"),
        ("postgresql://shop:word@db/${N}", "no variable sets the port"),
    ],
)
def test_what_the_app_would_open_nevertheless_is_refused(url: str, why: str) -> None:
    with pytest.raises(OriginError, match=why):
        find_url_variables(DatabaseSection(name="main", url=url), COPY, ENVIRONMENT)
