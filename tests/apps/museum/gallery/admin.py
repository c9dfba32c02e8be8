"""The museum in Django's admin."""

from django.contrib import admin

from gallery.models import Artist, Room, Sale, Tag, Visit, Work


@admin.register(Work)
class WorkAdmin(admin.ModelAdmin):
    list_display = ("title", "artist", "price", "on_show", "acquired")
    list_filter = ("on_show", "artist")
    search_fields = ("title", "code", "artist__name")
    date_hierarchy = "acquired"


admin.site.register([Artist, Room, Sale, Tag, Visit])
