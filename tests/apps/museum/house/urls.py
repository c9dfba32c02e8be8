"""Routes of the museum."""

from django.conf import settings
from django.contrib import admin
from django.urls import path
from gallery import pages, views

urlpatterns = [
    path("", pages.show_works, name="works"),
    path("works/<uuid:key>/", pages.show_work, name="work"),
    path("visits/new/", pages.visit, name="visit"),
    path("api/works", views.find_works),
    path("api/works/<uuid:key>", views.read_work),
    path("api/artists", views.read_artists),
    path("api/months", views.read_months),
    path("api/rooms", views.read_rooms),
    path("api/details", views.find_details),
    path("api/plain", views.read_plain),
    path("api/sales", views.sell),
    path("api/imports", views.import_works),
    path("api/visits", views.book),
    path("api/artists/<int:artist>", views.remove_artist),
    path("admin/", admin.site.urls),
]
if settings.POSTGRES:
    from words import views as words

    urlpatterns += [
        path("api/words", words.find_words),
        path("api/words/<int:key>", words.change_words),
        path("api/newest", words.read_newest),
    ]
