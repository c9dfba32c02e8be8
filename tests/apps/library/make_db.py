"""Makes the library's database: python make_db.py [data/library.sqlite3]."""

import datetime
import os
import sys
import uuid
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_library.settings")

import django
from django.core.management import call_command

django.setup()

from django.contrib.auth.models import User
from loans.models import Author, Book, Loan, Member, Tag

UTC = datetime.UTC
LANGUAGES = ("en", "de", "fr")


def fill():
    authors = [
        Author.objects.create(name=f"Author {n}", born=datetime.date(1900 + 3 * n, 1 + n % 12, 1))
        for n in range(8)
    ]
    books = [
        Book(
            id=uuid.uuid5(uuid.NAMESPACE_URL, f"book {n}"),
            title=f"{'A Very Long Title About Nothing In Particular And More Than That' if n == 7 else 'Book'} {n} é",
            isbn=f"978-{n:04d}",
            price=Decimal(f"{5 + n}.{n:02d}"),
            reading_time=datetime.timedelta(hours=n, microseconds=n),
            details={"language": LANGUAGES[n % 3], "pages": 100 + n, "big": 2**53 + n},
            cover=bytes([0, 255, n]),
            author=authors[n % 8],
            copies=n % 4,
            added=datetime.datetime(2024, 1 + n % 12, 1 + n % 28, 23, 30, n, n * 7, tzinfo=UTC),
        )
        for n in range(40)
    ]
    Book.objects.bulk_create(books)
    tags = [Tag.objects.create(word=word) for word in ("new", "student", "board")]
    members = [
        Member.objects.create(
            name=f"Member {n}",
            email=f"m{n}@example.org",
            joined=datetime.datetime(2023, 5, 1 + n, tzinfo=UTC),
        )
        for n in range(12)
    ]
    for number, member in enumerate(members):
        member.tags.set(tags[: number % 4])
        lent = datetime.datetime(2024, 3, 30, 12, number, tzinfo=UTC)
        Loan.objects.create(
            book=books[number],
            member=member,
            lent=lent,
            due=datetime.date(2024, 5, 1),
            returned=lent + datetime.timedelta(days=number, seconds=1) if number % 2 else None,
        )
    User.objects.create_superuser("admin", "admin@example.org", "correct horse")


if __name__ == "__main__":
    (HERE / "data").mkdir(exist_ok=True)
    call_command("migrate", verbosity=0)
    fill()
