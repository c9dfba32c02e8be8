"""Routes of the library."""

from django.contrib import admin
from django.urls import path
from loans import views

urlpatterns = [
    path("", views.show_books, name="books"),
    path("books/<uuid:key>/", views.show_book, name="book"),
    path("members/new/", views.join, name="join"),
    path("api/books", views.find_books),
    path("api/books/<uuid:key>", views.read_book),
    path("api/loans", views.lend),
    path("api/returns/<int:loan>", views.give_back),
    path("api/imports", views.import_books),
    path("api/stats", views.read_stats),
    path("api/authors/<int:author>", views.remove_author),
    path("admin/", admin.site.urls),
]
