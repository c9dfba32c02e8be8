"""Pages and JSON endpoints of the library."""

import datetime
import json

from django.db import IntegrityError, transaction
from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, StdDev, Sum, Variance
from django.db.models.functions import ExtractWeekDay, ExtractYear, Lower, TruncMonth
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from loans.forms import LoanForm, MemberForm
from loans.models import Author, Book, Loan, Member


def to_json(book):
    return {
        "id": str(book.pk),
        "title": book.title,
        "isbn": book.isbn,
        "price": str(book.price),
        "minutes": book.reading_time.total_seconds() / 60,
        "details": book.details,
        "cover": bytes(book.cover).hex(),
        "author": book.author.name,
        "copies": book.copies,
        "added": book.added.isoformat(),
    }


@require_GET
def show_books(request):
    books = Book.objects.select_related("author").annotate(loans=Count("loan"))
    return render(request, "loans/books.html", {"books": books})


@require_http_methods(["GET", "POST"])
def show_book(request, key):
    book = get_object_or_404(Book, pk=key)
    form = LoanForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            lend_copy(book.pk, form.cleaned_data["member"], form.cleaned_data["due"])
        except (IntegrityError, NoCopyError):
            form.add_error(None, "This book cannot be lent to this member now.")
        else:
            return redirect("book", key=key)
    return render(request, "loans/book.html", {"book": book, "form": form})


@require_http_methods(["GET", "POST"])
def join(request):
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("books")
    return render(request, "loans/join.html", {"form": form})


@require_GET
def find_books(request):
    """Search by a pattern, a key of the details, a year or the weekday of the purchase."""
    books = Book.objects.select_related("author").order_by(Lower("title"), "isbn")
    given = request.GET
    if "pattern" in given:
        books = books.filter(title__iregex=given["pattern"])
    if "language" in given:
        books = books.filter(details__language=given["language"])
    if "words" in given:
        books = books.filter(title__icontains=given["words"])
    if "year" in given:
        books = books.annotate(year=ExtractYear("added")).filter(year=int(given["year"]))
    if "weekday" in given:
        books = books.annotate(day=ExtractWeekDay("added")).filter(day=int(given["weekday"]))
    return JsonResponse({"books": [to_json(book) for book in books[:50]]})


@require_GET
def read_book(request, key):
    return JsonResponse(to_json(get_object_or_404(Book.objects.select_related("author"), pk=key)))


class NoCopyError(Exception):
    """All copies are lent."""


def lend_copy(book, member, due):
    """Lend a copy: the loan is written first, and must not stay when there is no copy."""
    with transaction.atomic():
        loan = Loan.objects.create(book_id=book, member=member, due=due)
        locked = Book.objects.select_for_update().get(pk=book)
        if locked.copies < 1:
            raise NoCopyError
        Book.objects.filter(pk=book).update(copies=F("copies") - 1)
    return loan


@csrf_exempt
@require_POST
def lend(request):
    given = json.loads(request.body)
    member = get_object_or_404(Member, pk=given["member"])
    book = get_object_or_404(Book, isbn=given["isbn"])
    try:
        loan = lend_copy(book.pk, member, datetime.date.fromisoformat(given["due"]))
    except NoCopyError:
        return JsonResponse({"error": "no copy left"}, status=409)
    except IntegrityError as error:
        return JsonResponse({"error": str(error)}, status=409)
    return JsonResponse({"loan": loan.pk}, status=201)


@csrf_exempt
@require_POST
@transaction.atomic
def give_back(request, loan):
    found = get_object_or_404(Loan.objects.select_for_update(), pk=loan)
    if found.returned is None:
        found.returned = timezone.now()
        found.save(update_fields=["returned"])
        Book.objects.filter(pk=found.book_id).update(copies=F("copies") + 1)
    return JsonResponse({"loan": found.pk, "copies": Book.objects.get(pk=found.book_id).copies})


@csrf_exempt
@require_POST
def import_books(request):
    """Import books, each in a savepoint: one that fails leaves the others."""
    imported, refused = [], []
    with transaction.atomic():
        author, _ = Author.objects.get_or_create(name="Imported")
        for row in json.loads(request.body):
            try:
                with transaction.atomic():
                    Book.objects.create(
                        author=author,
                        title=row["title"],
                        isbn=row["isbn"],
                        price=row["price"],
                        reading_time=datetime.timedelta(minutes=row["minutes"]),
                        details=row.get("details", {}),
                    )
            except IntegrityError as error:
                refused.append([row["isbn"], str(error)])
            else:
                imported.append(row["isbn"])
    return JsonResponse({"imported": imported, "refused": refused}, status=201)


@require_GET
def read_stats(request):
    months = (
        Book.objects.annotate(month=TruncMonth("added"))
        .values("month")
        .annotate(count=Count("pk"), price=Sum("price"))
        .order_by("month")
    )
    prices = Book.objects.aggregate(
        Avg("price"), spread=StdDev("price"), variance=Variance("price", sample=True)
    )
    length = ExpressionWrapper(F("returned") - F("lent"), output_field=DurationField())
    lengths = Loan.objects.filter(returned__isnull=False).annotate(length=length)
    return JsonResponse(
        {
            "months": [
                {"month": m["month"].isoformat(), "count": m["count"], "price": str(m["price"])}
                for m in months
            ],
            "prices": {name: str(value) for name, value in prices.items()},
            "lengths": [str(loan.length) for loan in lengths.order_by("pk")],
            "reading": str(Book.objects.aggregate(total=Sum("reading_time"))["total"]),
        }
    )


@csrf_exempt
@require_http_methods(["DELETE"])
def remove_author(request, author):
    found = get_object_or_404(Author, pk=author)
    with transaction.atomic():
        removed = found.delete()[1]
    return JsonResponse({"removed": dict(sorted(removed.items()))})
