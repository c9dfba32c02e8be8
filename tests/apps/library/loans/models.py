"""Books, members and what they borrow."""

import uuid

from django.db import models
from django.utils import timezone


class Author(models.Model):
    name = models.CharField(max_length=100, unique=True)
    born = models.DateField(null=True, blank=True)

    def __str__(self):
        return self.name


class Book(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=200)
    isbn = models.CharField(max_length=20, unique=True)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    reading_time = models.DurationField()
    details = models.JSONField(default=dict, blank=True)
    cover = models.BinaryField(default=b"", editable=False)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    copies = models.PositiveIntegerField(default=1)
    added = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["title"]
        constraints = [models.CheckConstraint(condition=models.Q(price__gte=0), name="price_is_positive")]
        indexes = [models.Index(fields=["author", "title"], name="books_of_author")]

    def __str__(self):
        return self.title


class Member(models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField(unique=True)
    joined = models.DateTimeField(default=timezone.now)
    tags = models.ManyToManyField("Tag", blank=True)

    def __str__(self):
        return self.name


class Tag(models.Model):
    word = models.SlugField(unique=True)

    def __str__(self):
        return self.word


class Loan(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    member = models.ForeignKey(Member, on_delete=models.PROTECT)
    lent = models.DateTimeField(default=timezone.now)
    due = models.DateField()
    returned = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["book", "member"],
                condition=models.Q(returned__isnull=True),
                name="one_open_loan_of_a_book",
            )
        ]
