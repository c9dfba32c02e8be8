"""The museum's API: queries of every kind, sales in transactions."""

import json
from decimal import Decimal

from django.db import IntegrityError, connection, transaction
from django.db.models import Avg, Case, Count, DecimalField, Exists, F, Max, Min, OuterRef, Q, Subquery, Sum, Value, When, Window
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, ExtractWeekDay, Greatest, Lower, Rank, Round, TruncMonth, Upper
from django.db.utils import DataError
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from gallery.models import Artist, Room, Sale, Visit, Work


def show(work):
    return {
        "id": work.id, "title": work.title, "code": work.code, "price": work.price,
        "insured": work.insured, "weight": work.weight, "rating": work.rating, "made": work.made,
        "acquired": work.acquired, "cleaned": work.cleaned, "length": str(work.length),
        "details": work.details, "picture": bytes(work.picture).hex(), "on_show": work.on_show,
        "seen_from": work.seen_from, "views": work.views, "status": work.status,
        "gross": work.gross, "artist": work.artist_id, "room": work.room_id,
    }


@require_GET
def find_works(request):
    asked = request.GET
    works = Work.objects.all()
    if asked.get("words"):
        works = works.filter(Q(title__icontains=asked["words"]) | Q(notes__icontains=asked["words"]))
    if asked.get("exactly"):
        works = works.filter(title__contains=asked["exactly"])
    if asked.get("code"):
        works = works.filter(code__iexact=asked["code"])
    if asked.get("pattern"):
        works = works.filter(title__regex=asked["pattern"])
    if asked.get("dear"):
        works = works.filter(price__gt=F("insured") / 2)
    if asked.get("year", "").isdigit():
        works = works.filter(acquired__year=int(asked["year"]))
    if asked.get("weekday", "").isdigit():
        works = works.annotate(w=ExtractWeekDay("acquired")).filter(w=int(asked["weekday"]))
    order = asked.get("order", "title")
    if order.removeprefix("-") in {"title", "price", "rating", "made", "weight", "insured", "cleaned", "length", "room__number"}:
        works = works.order_by(order, "code")
    return JsonResponse({"works": [show(work) for work in works]})


@require_GET
def read_work(request, key):
    return JsonResponse(show(get_object_or_404(Work, pk=key)))


@require_GET
def read_artists(request):
    dear = Work.objects.filter(artist=OuterRef("pk")).order_by("-price", "code")
    artists = Artist.objects.annotate(
        count=Count("works"), total=Coalesce(Sum("works__price"), Decimal("0")),
        best=Max("works__rating"), least=Min("works__insured"),
        dearest=Subquery(dear.values("title")[:1]),
        shown=Exists(Work.objects.filter(artist=OuterRef("pk"), on_show=True)),
        era=Case(When(born__lt="1900-01-01", then=Value("old")), default=Value("new")),
        shout=Upper("name"), low=Lower("name"),
    ).order_by(F("born").desc(), "name")
    fields = ("id", "name", "born", "count", "total", "best", "least", "dearest", "shown", "era", "shout", "low")
    return JsonResponse({"artists": list(artists.values(*fields))})


@require_GET
def read_months(request):
    months = (
        Work.objects.annotate(month=TruncMonth("acquired"))
        .values("month").annotate(count=Count("id"), value=Sum("price"), most=Max(Greatest("visitors", F("visitors") - F("rating"))))
        .order_by("month")
    )
    ranked = Work.objects.annotate(
        place=Window(Rank(), partition_by=F("artist"), order_by=F("price").desc())
    ).order_by("artist", "place", "code").values_list("code", "place")
    return JsonResponse({"months": list(months), "ranked": list(ranked)})


@require_GET
def read_rooms(request):
    rooms = Room.objects.order_by("opens", "number").values("number", "label", "opens")
    value = Work.objects.aggregate(
        total=Sum("price"), half=Round(Sum("price") / 2, 2), mean=Avg("weight"), top=Max("acquired"), time=Sum("length")
    )
    value["time"] = str(value["time"])
    return JsonResponse({"rooms": list(rooms), "value": value})


@require_GET
def find_details(request):
    works = Work.objects
    found = {
        "contains": works.filter(details__contains={"colours": ["red"]}),
        "key": works.filter(details__has_key="owner"),
        "deep": works.filter(details__size__height__gte=20),
        "text": works.filter(details__owner__icontains="ÉMILE"),
        "first": works.filter(details__colours__0="blue"),
        "none": works.filter(details__owner__isnull=True),
        "whole": works.filter(details__size={"width": 10, "height": 20}),
    }
    return JsonResponse({name: sorted(w.values_list("code", flat=True)) for name, w in found.items()})


@require_GET
def read_plain(request):
    """SQL of the museum's own, in every way that Django takes it."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT code, price, acquired, on_show FROM gallery_work WHERE price > %s AND on_show ORDER BY code", [20])
        found["cursor"] = [[code, str(price), str(acquired), bool(on_show)] for code, price, acquired, on_show in cursor.fetchall()]
        cursor.execute("SELECT artist_id, count(*) FROM gallery_work WHERE title LIKE %(title)s GROUP BY artist_id ORDER BY artist_id", {"title": "Work%"})
        found["named"] = [list(row) for row in cursor.fetchall()]
    found["raw"] = [w.code for w in Work.objects.raw("SELECT * FROM gallery_work WHERE rating >= %s ORDER BY rating DESC, code", [3])]
    found["extra"] = list(
        Work.objects.extra(where=["visitors >= %s"], params=[5], select={"double": "visitors * 2"})
        .order_by("code").values_list("code", "double")
    )
    found["sql"] = list(
        Work.objects.annotate(lower=RawSQL("lower(gallery_work.title)", [])).order_by("code").values_list("lower", flat=True)[:5]
    )
    return JsonResponse(found)


def read_body(request):
    try:
        body = json.loads(request.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


@csrf_exempt
@require_POST
def sell(request):
    """Sell a work: one row locked, all or nothing."""
    body = read_body(request)
    try:
        with transaction.atomic():
            work = Work.objects.select_for_update().get(code=str(body.get("code", "")))
            sale = Sale.objects.create(work=work, paid=Decimal(str(body.get("paid", "1"))))
            if work.status == "sold":
                raise IntegrityError("sold already")
            Work.objects.filter(pk=work.pk).update(status="sold", views=F("views") + 1, price=F("price") * Decimal("1.1"))
    except Work.DoesNotExist:
        return JsonResponse({"error": "no such work"}, status=404)
    except (IntegrityError, DataError, ArithmeticError) as error:
        return JsonResponse({"error": type(error).__name__}, status=409)
    work.refresh_from_db()
    return JsonResponse({"sale": sale.id, "work": show(work)}, status=201)


@csrf_exempt
@require_POST
def import_works(request):
    """Take works in: known codes get a new price."""
    rows = read_body(request).get("works") or []
    artist, _ = Artist.objects.get_or_create(name="Imported")
    works = [
        Work(title=str(r.get("title", ""))[:80], code=str(r.get("code", "")), artist=artist, price=Decimal(str(r.get("price", 0))), acquired="2024-06-01T10:00:00.5Z")
        for r in rows if isinstance(r, dict)
    ]
    try:
        with transaction.atomic():
            Work.objects.bulk_create(works, update_conflicts=True, unique_fields=["code"], update_fields=["price"]) if connection.features.supports_update_conflicts_with_target else Work.objects.bulk_create(works, update_conflicts=True, update_fields=["price"])
    except (IntegrityError, DataError) as error:
        return JsonResponse({"error": type(error).__name__}, status=409)
    return JsonResponse({"works": list(artist.works.order_by("code").values("code", "price", "status"))}, status=201)


@csrf_exempt
@require_POST
def book(request):
    """Note visits; one a day for each guest, the rest of the list goes on."""
    body, noted, refused = read_body(request), 0, 0
    work = Work.objects.order_by("code").first()
    for email in body.get("emails") or []:
        try:
            with transaction.atomic():
                Visit.objects.create(email=str(email), work=work, day=str(body.get("day", "2024-07-01")))
            noted += 1
        except IntegrityError:
            refused += 1
    return JsonResponse({"noted": noted, "refused": refused}, status=201)


@csrf_exempt
@require_POST
def remove_artist(request, artist):
    count, _ = get_object_or_404(Artist, pk=artist, works__isnull=True).delete()
    return JsonResponse({"deleted": count})
