"""Makes the museum's tables and rows on the server of DATABASE_URL: python make_db.py."""

import datetime
import os
import sys
import uuid
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "house.settings")

import django
from django.conf import settings
from django.core.management import call_command

django.setup()

from django.contrib.auth.models import User
from gallery.models import Artist, Room, Tag, Visit, Work

UTC = datetime.UTC
COLOURS = ["red", "blue", "green"]


def fill():
    artists = [
        Artist.objects.create(name=name, born=born, country=country)
        for name, born, country in (
            ("Émile Brûlé", datetime.date(1850, 3, 1), "fr"), ("Zoë Ångström", None, "se"),
            ("anna", datetime.date(1920, 12, 31), ""), ("Łukasz", datetime.date(1901, 1, 1), "pl"),
        )
    ]  # fmt: skip
    rooms = [
        Room.objects.create(number=n, label=f"room-{n}", opens=datetime.time(9 + n, 30) if n % 2 else None)
        for n in range(4)
    ]
    Work.objects.bulk_create([
        Work(
            id=uuid.uuid5(uuid.NAMESPACE_URL, f"work {n}"), title=f"{'Größe' if n == 5 else 'Work'} {n}",
            code=f"W-{n:03d}", artist=artists[n % 3], room=rooms[n % 4] if n % 5 else None,
            price=Decimal(10 * n) if n % 3 else Decimal(f"{n}.{n:02d}"),
            insured=Decimal(f"{15 * n}.1250") if n % 4 else None,
            weight=n / 4 if n % 6 else None, rating=n % 5 if n % 7 else None, visitors=n, views=2**40 + n,
            made=datetime.date(1900 + n, 1 + n % 12, 1 + n) if n % 2 else None,
            acquired=datetime.datetime(2024, 1 + n % 12, 1 + n, 22, 30, n, n * 1000 if n % 2 else 0, tzinfo=UTC),
            cleaned=datetime.time(n, 15, 0, n * 7) if n % 3 else None,
            length=datetime.timedelta(days=n % 3, hours=n, microseconds=n),
            details={
                "colours": [COLOURS[n % 3], "white"], "size": {"height": 10 * (n % 4), "width": 10},
                **({"owner": "Émile" if n % 2 else "Bob"} if n % 4 else {}), "ok": n % 2 == 0, "big": 2**53 + n,
            },
            picture=bytes([0, 255, n]), on_show=n % 4 != 1, seen_from=f"10.0.0.{n}" if n % 2 else ("2001:db8::1" if n % 4 else None),
            link="https://example.org/" if n % 2 else "", notes="Ein schönes STÜCK" if n % 3 == 0 else "",
        )
        for n in range(20)
    ])  # fmt: skip
    tags = [Tag.objects.create(word=word) for word in ("oil", "wood", "loan")]
    for number, work in enumerate(Work.objects.order_by("code")):
        work.tags.set(tags[: number % 3])
    Visit.objects.create(email="a@example.org", work=Work.objects.get(code="W-001"), day=datetime.date(2024, 5, 1))
    User.objects.create_superuser("admin", "admin@example.org", "correct horse")
    if settings.POSTGRES:
        from words.models import Label

        for number, work in enumerate(Work.objects.order_by("code")[:6]):
            Label.objects.create(
                work=work, words=["old", "large", 'q"u,ote'][: number % 4], scores=[1, 2, number][: number % 4] if number != 4 else None,
                prices=[Decimal("1.50"), Decimal(number)], days=[datetime.date(2024, 1, 1 + number)],
                extra={"frame": ("gold", "oak")[number % 2], "n": str(number), "empty": None} if number != 3 else {},
            )


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    fill()
