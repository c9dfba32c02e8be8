"""The library in Django's admin."""

from django.contrib import admin

from loans.models import Author, Book, Loan, Member, Tag


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ("title", "author", "price", "copies", "added")
    list_filter = ("author", "added")
    search_fields = ("title", "isbn", "author__name")
    date_hierarchy = "added"


admin.site.register([Author, Loan, Member, Tag])
