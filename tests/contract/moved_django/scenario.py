"""What the museum's ORM answers, on its server or on what was moved of it; prints a line of JSON each.

python scenario.py MUSEUM URL [FILE]    FILE holds the SQL of what was moved
"""

import datetime
import json
import os
import sys
import uuid
import warnings
import zoneinfo
from decimal import Decimal
from pathlib import Path

warnings.simplefilter("ignore")
MUSEUM, URL, *FILE = sys.argv[1:]
sys.path.insert(0, MUSEUM)
os.environ["DATABASE_URL"] = URL
os.environ["DJANGO_SETTINGS_MODULE"] = "house.settings"
ORIGIN = "postgresql" if URL.startswith("postgres") else "mysql"
PG = ORIGIN == "postgresql"
if FILE:
    from sqlite_transport import driver, put_in_place

    put_in_place({"/moved/main.sqlite": "DB_0"})
    from edgelift.worker import django_moved

    django_moved.install([{"origin": ORIGIN, "path": "/moved/main.sqlite", "uuid": "text"}])
    # No driver of a server may be asked.
    sys.modules["psycopg2"] = sys.modules["psycopg"] = sys.modules["MySQLdb"] = None
    with driver.connect("/moved/main.sqlite") as moved:
        moved.executescript(Path(FILE[0]).read_text())

import django

django.setup()

from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import *
from django.db.models.expressions import RawSQL
from django.db.models.fields.json import KT
from django.db.models.functions import *
from gallery.models import Artist, Room, Sale, Tag, Visit, Work

CharField.register_lookup(Upper)
UTC, BERLIN = datetime.UTC, zoneinfo.ZoneInfo("Europe/Berlin")
W = Work.objects.order_by("code")
if PG:
    from django.contrib.postgres.aggregates import ArrayAgg, BoolAnd, BoolOr, JSONBAgg, StringAgg
    from words.models import Label

    L = Label.objects.order_by("id")


def run(sql, params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [list(row) for row in cursor.fetchall()]


def show(value):
    if isinstance(value, dict):
        return {key: show(item) for key, item in value.items()}
    if isinstance(value, QuerySet | list | tuple):
        return [show(item) for item in value]
    return value if value is None or isinstance(value, str | int) else show_single(value)


def show_single(value):
    if isinstance(value, memoryview | bytes):
        return ["bytes", bytes(value).hex()]
    if isinstance(value, float):
        return ["float", f"{value:.12g}"]
    if isinstance(value, datetime.datetime):
        return ["moment", value.isoformat()]
    return [type(value).__name__, str(value)]


def ask(text):
    try:
        with transaction.atomic():
            return show(eval(text))
    except Exception as error:
        return ["raised", type(error).__name__, str(error)[:300]]


def refuse(work):
    """Return what becomes of a write that the server may refuse."""
    try:
        with transaction.atomic():
            return show(work())
    except (DataError, IntegrityError) as error:
        return ["refused", type(error).__name__]


def make(**values):
    base = {
        "title": "T",
        "artist": Artist.objects.order_by("id")[0],
        "price": 1,
        "acquired": datetime.datetime(2025, 1, 1, tzinfo=UTC),
    }
    return Work.objects.create(**{**base, **values})


def write():
    """Yield the answers of writes, in their order."""
    yield show(
        list(
            W.filter(code=make(code="N-1", price=Decimal("2.345")).code).values_list(
                "price", "gross", "status"
            )
        )
    )
    yield refuse(lambda: make(code="N-1").pk)
    yield refuse(lambda: make(code="N-2", price=Decimal("123456789.00")).pk)
    yield refuse(lambda: make(code="N-3", price=-1).pk)
    yield refuse(lambda: make(code="N" * 13).pk)
    yield refuse(lambda: make(code="N-4", rating=40000 if PG else 70000).pk)
    yield refuse(lambda: make(code="N-5", views=2**63 - 1).views)
    yield refuse(lambda: make(code="N-6", title=None).pk)
    yield refuse(
        lambda: (
            Visit.objects.create(email="x@x.org", work_id=uuid.UUID(int=5), day="2024-01-01")
            and connection.check_constraints()
        )
    )
    yield refuse(lambda: Artist.objects.create(name="kept").name)
    try:
        with transaction.atomic():
            Artist.objects.create(name="taken back")
            raise KeyError
    except KeyError:
        yield Artist.objects.filter(name="taken back").count()
    yield refuse(lambda: Artist.objects.create(name="after").pk)  # the number goes on
    yield refuse(lambda: Artist.objects.create(name="after").pk)
    yield refuse(lambda: Artist.objects.create(name="later").pk)
    yield refuse(
        lambda: (
            [
                a.pk
                for a in Artist.objects.bulk_create(
                    [Artist(name="b1"), Artist(name="b2"), Artist(name="later")],
                    ignore_conflicts=True,
                )
            ]
            and None
        )
    )
    yield show(list(Artist.objects.order_by("id").values_list("id", "name")))
    yield refuse(lambda: Artist.objects.create(name="last").pk)
    target = {"unique_fields": ["code"]} if PG else {}
    works = [
        Work(
            code=code,
            title="U",
            artist_id=1,
            price=p,
            acquired=datetime.datetime(2025, 2, 2, tzinfo=UTC),
        )
        for code, p in (("W-001", 5), ("U-1", Decimal("6.5")))
    ]
    Work.objects.bulk_create(works, update_conflicts=True, update_fields=["price"], **target)
    yield show(list(W.filter(code__in=["W-001", "U-1"]).values_list("code", "title", "price")))
    yield W.filter(code__startswith="W-00").update(
        price=F("price") * Decimal("1.1"), visitors=F("visitors") + 1
    )
    yield show(list(W.filter(code__startswith="W-00").values_list("price", "visitors", "gross")))
    yield refuse(lambda: W.update(price=F("price") - 1000))
    found, made = Tag.objects.get_or_create(word="oil")
    yield [found.pk, made, Tag.objects.update_or_create(word="new")[1]]
    with transaction.atomic():
        yield show(list(W.select_for_update().filter(code="W-002").values_list("price")))
    work = Work.objects.get(code="W-003")
    work.details["added"] = {"b": 1, "a": [1.5, None, "ü"]}
    work.length, work.cleaned, work.picture = (
        datetime.timedelta(days=-1, microseconds=7),
        datetime.time(1, 2, 3),
        b"\0\1",
    )
    work.save()
    yield show(list(W.filter(code="W-003").values_list("details", "length", "cleaned", "picture")))
    yield W.filter(details__added__a__0=1.5).count()
    yield Artist.objects.get(name="anna").delete()[0]
    yield show(run("SELECT count(*) FROM gallery_work", []))
    if PG:
        label = Label.objects.order_by("id")[0]
        label.words, label.scores, label.extra = ["a", 'q"', "ü,"], None, {"k": None, "long": "x"}
        label.prices, label.days = [Decimal("1.005"), 2], []
        label.save()
        yield show(
            list(L.filter(pk=label.pk).values_list("words", "scores", "prices", "days", "extra"))
        )
        yield L.filter(words=["a", 'q"', "ü,"]).count()


def main():
    for line in Path(__file__).with_name("queries.txt").read_text().splitlines():
        kind, _, text = line.partition(": ")
        own = {"pg": PG, "my": not PG}
        if line.startswith("#") or (kind in own and not own[kind]):
            continue
        print(json.dumps([line, ask(text if kind in own else line)]), flush=True)
    try:
        for number, answer in enumerate(write()):
            print(json.dumps([f"write {number}", answer]), flush=True)
    except Exception as error:
        print(json.dumps(["write stopped", repr(error)[:500]]), flush=True)


main()
