"""Labels of works, asked as PostgreSQL is asked."""

import json

from django.contrib.postgres.aggregates import ArrayAgg, BoolOr, StringAgg
from django.db.models import Count
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from gallery.models import Artist, Work

from words.models import Label


def show(label):
    return {
        "id": label.id, "words": label.words, "scores": label.scores, "prices": label.prices,
        "days": label.days, "extra": label.extra,
    }


@require_GET
def find_words(request):
    labels = Label.objects
    found = {
        "contains": labels.filter(words__contains=["old"]),
        "overlap": labels.filter(words__overlap=["new", "large"]),
        "length": labels.filter(words__len=2),
        "first": labels.filter(words__0="old"),
        "within": labels.filter(scores__contained_by=[1, 2, 3, 4]),
        "same": labels.filter(scores=[1, 2]),
        "key": labels.filter(extra__has_key="frame"),
        "value": labels.filter(extra__frame="gold"),
        "pairs": labels.filter(extra__contains={"frame": "oak"}),
    }
    listed = {name: sorted(rows.values_list("id", flat=True)) for name, rows in found.items()}
    listed["all"] = [show(label) for label in labels.order_by("id")]
    return JsonResponse(listed)


@csrf_exempt
@require_POST
def change_words(request, key):
    label = get_object_or_404(Label, pk=key)
    try:
        words = json.loads(request.body).get("words", [])
    except (ValueError, AttributeError):
        words = []
    label.words = [str(word)[:30] for word in words] if isinstance(words, list) else []
    label.extra["changed"] = str(len(label.words))
    label.save()
    return JsonResponse(show(Label.objects.get(pk=key)))


@require_GET
def read_newest(request):
    newest = Work.objects.order_by("artist_id", "-acquired").distinct("artist_id")
    artists = Artist.objects.annotate(
        codes=ArrayAgg("works__code", order_by="works__code", default=[]),
        titles=StringAgg("works__title", delimiter="; ", order_by="works__code"),
        any=BoolOr("works__on_show"), count=Count("works"),
    ).order_by("id")
    return JsonResponse({
        "newest": [work.code for work in newest],
        "artists": list(artists.values("name", "codes", "titles", "any", "count")),
    })
