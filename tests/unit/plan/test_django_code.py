"""What a Django app asks of its server beside the ORM is found with file and line before the cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.project import AppSection, Project, Settings
from edgelift.sources.source_code.server_texts import read_fragments
from edgelift.sources.source_code.view import CodeView, build_view
from edgelift.stages.plan.django_code import check_django
from edgelift.stages.plan.server_code import check_server_code

HEAD = """from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.db.models.expressions import RawSQL

application = get_wsgi_application()
"""
LINE = 6


def read(folder: Path, text: str, head: str = HEAD) -> CodeView:
    (folder / "wsgi.py").write_text(f"{head}{text}\n")
    settings = Settings(name="x", app=AppSection(framework="django", entry="wsgi:application"))
    return build_view(Project(folder, settings, folder / "edgelift.toml"))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("from django.contrib.postgres.search import SearchVector", "DJANGO-POSTGRES"),
        ("import django.contrib.postgres.search", "DJANGO-POSTGRES"),
        ("from django.contrib.postgres.constraints import ExclusionConstraint", "DJANGO-POSTGRES"),
        ("from django.contrib.postgres.fields import IntegerRangeField", "DJANGO-POSTGRES"),
        ("from django.contrib.postgres.fields.ranges import DateRangeField", "DJANGO-POSTGRES"),
        ("from django.contrib.postgres.aggregates import Corr", "DJANGO-POSTGRES"),
        ("from django.contrib.postgres.aggregates.general import BitOr", "DJANGO-POSTGRES"),
        ("from django.contrib.postgres.lookups import Unaccent", "DJANGO-POSTGRES"),
        ("found = models.Q(name__unaccent='x')", "DJANGO-POSTGRES"),
        ("found = models.Q(name__trigram_similar='x')", "DJANGO-POSTGRES"),
        ("found = models.Q(body__search='x')", "DJANGO-POSTGRES"),
        ("from django.contrib.gis.db import models as gis", "DJANGO-GIS"),
        ("import django.contrib.gis.geos", "DJANGO-GIS"),
        ("found = connection.vendor == 'postgresql'", "DJANGO-VENDOR"),
        ("found = 'mysql' != connection.vendor", "DJANGO-VENDOR"),
        ("class Own(models.Func):\n    def as_postgresql(self, *a): ...", "DJANGO-EXPRESSION"),
        ("found = x.select_for_update(skip_locked=True)", "DJANGO-LOCKS"),
        ("found = x.select_for_update(nowait=True)", "DJANGO-LOCKS"),
    ],
)
def test_each_rule_names_its_line(tmp_path: Path, text: str, rule: str) -> None:
    found = list(check_django(read(tmp_path, text), {"postgresql"}, "auto"))
    assert [(f.rule, f.path, f.line) for f in found] == [(rule, "wsgi.py", LINE)]


@pytest.mark.parametrize(
    "text",
    [
        "from django.contrib.postgres.fields import ArrayField, HStoreField",
        "from django.contrib.postgres.aggregates import ArrayAgg, BoolOr, StringAgg",
        "from django.contrib.postgres.indexes import GinIndex",
        "from django.contrib.postgres.functions import RandomUUID",
        "found = models.Q(name__icontains='x', research='y', search='z')",
        "found = x.select_for_update(of=('self',))",
        "class Own(models.Func):\n    def as_mysql(self, *a): ...",
        "class Own(models.Func):\n    def as_postgresql(self, *a): ...\n    as_sqlite = None\n    def as_sqlite(self): ...",
        "vendor = 'postgresql'",
    ],
)
def test_what_is_kept_is_no_finding(tmp_path: Path, text: str) -> None:
    assert list(check_django(read(tmp_path, text), {"postgresql"}, "django")) == []


@pytest.mark.parametrize("style", ["sqlalchemy", "unix", "unix_ms"])
def test_moments_of_another_style_are_refused(tmp_path: Path, style: str) -> None:
    found = list(check_django(read(tmp_path, ""), {"mysql"}, style))
    assert [f.rule for f in found] == ["DJANGO-STYLE"]


def test_other_apps_are_not_asked(tmp_path: Path) -> None:
    text = "class Own:\n    def as_postgresql(self): ...\napplication = None"
    assert list(check_django(read(tmp_path, text, ""), {"postgresql"}, "unix")) == []


def test_names_in_distinct_are_django_s(tmp_path: Path) -> None:
    view = read(tmp_path, "found = x.distinct('name', 'place')")
    assert [f.rule for f in check_server_code(view, {"postgresql"})] == []


def test_extra_and_raw_sql_are_read(tmp_path: Path) -> None:
    text = (
        "found = x.extra(where=['a::text = %s'], select={'b': 'c + 1'}, params=[1])\n"
        "more = RawSQL('d::int', [])\n"
        "other = x.extra(where=unknown, order_by=['e::text'])"
    )
    view = read(tmp_path, text)
    assert [(site.line, part) for site, part in read_fragments(view)] == [
        (LINE, "a::text = %s"), (LINE, "c + 1"), (LINE + 1, "d::int"),
    ]  # fmt: skip


def test_errors_of_the_driver_are_told(tmp_path: Path) -> None:
    view = read(tmp_path, "found = error.__cause__.pgcode")
    found = check_server_code(view, {"postgresql"})
    assert [(f.rule, f.line) for f in found] == [("SQL-DIALECT-ERRORS", LINE)]
