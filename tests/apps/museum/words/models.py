"""What PostgreSQL alone has: arrays and hstore."""

from django.contrib.postgres.fields import ArrayField, HStoreField
from django.db import models


class Label(models.Model):
    work = models.ForeignKey("gallery.Work", on_delete=models.CASCADE)
    words = ArrayField(models.CharField(max_length=30), default=list)
    scores = ArrayField(models.IntegerField(), null=True)
    prices = ArrayField(models.DecimalField(max_digits=8, decimal_places=2), default=list)
    days = ArrayField(models.DateField(), default=list)
    extra = HStoreField(default=dict)
