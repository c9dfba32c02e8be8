"""Works of art with every type of field, and who made, bought and saw them."""

import datetime
import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class Artist(models.Model):
    name = models.CharField(max_length=60, unique=True)
    born = models.DateField(null=True, blank=True)
    country = models.CharField(max_length=2, default="", blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self):
        return self.name


class Room(models.Model):
    number = models.SmallIntegerField(unique=True)
    label = models.SlugField(max_length=20)
    opens = models.TimeField(null=True, blank=True)

    def __str__(self):
        return self.label


class Work(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=80)
    code = models.CharField(max_length=12, unique=True)
    artist = models.ForeignKey(Artist, on_delete=models.CASCADE, related_name="works")
    room = models.ForeignKey(Room, on_delete=models.SET_NULL, null=True, blank=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    insured = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    weight = models.FloatField(null=True, blank=True)
    rating = models.PositiveSmallIntegerField(null=True, blank=True)
    visitors = models.PositiveIntegerField(default=0)
    views = models.BigIntegerField(default=0)
    made = models.DateField(null=True, blank=True)
    acquired = models.DateTimeField()
    cleaned = models.TimeField(null=True, blank=True)
    length = models.DurationField(default=datetime.timedelta)
    details = models.JSONField(default=dict, blank=True)
    picture = models.BinaryField(default=b"", editable=False)
    on_show = models.BooleanField(default=True)
    seen_from = models.GenericIPAddressField(null=True, blank=True)
    link = models.URLField(blank=True, default="")
    notes = models.TextField(blank=True, default="")
    status = models.CharField(max_length=10, db_default="new")
    gross = models.GeneratedField(
        expression=F("price") + F("price"),
        output_field=models.DecimalField(max_digits=12, decimal_places=2),
        db_persist=True,
    )
    tags = models.ManyToManyField("Tag", blank=True)

    class Meta:
        ordering = ["title", "code"]
        constraints = [
            models.CheckConstraint(condition=Q(price__gte=0), name="price_is_positive"),
        ]
        indexes = [models.Index(fields=["artist", "title"], name="works_of_artist")]

    def __str__(self):
        return self.title


class Tag(models.Model):
    word = models.SlugField(unique=True)

    def __str__(self):
        return self.word


class Visit(models.Model):
    email = models.EmailField()
    work = models.ForeignKey(Work, on_delete=models.CASCADE)
    day = models.DateField()
    noted = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email", "day"], name="one_visit_a_day"),
        ]

    def __str__(self):
        return f"{self.email} {self.day}"


class Sale(models.Model):
    work = models.ForeignKey(Work, on_delete=models.PROTECT)
    paid = models.DecimalField(max_digits=10, decimal_places=2)
