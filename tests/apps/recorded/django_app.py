import sys
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.db import DatabaseError, connection, models, transaction

url = urlsplit(sys.argv[1])
settings.configure(
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username,
        "PASSWORD": url.password, "HOST": url.hostname, "PORT": url.port,
    }},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True,
)
django.setup()

class Thing(models.Model):
    name = models.TextField(unique=True)
    class Meta:
        app_label = "things"
        db_table = "t"

def attempt(work):
    try:
        with transaction.atomic():
            print(work())
    except DatabaseError as error:
        print(type(error).__name__, type(error.__cause__).__name__)

def insert_raw():
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO t (name) VALUES (%s)", ["raw"])
        return cursor.rowcount

with connection.schema_editor() as editor:
    editor.create_model(Thing)
attempt(lambda: Thing.objects.create(name="a").pk)
attempt(insert_raw)
print([thing.name for thing in Thing.objects.raw("SELECT id, name FROM t WHERE " + "name > %s", ["a"])])
print(Thing.objects.filter(name__icontains="A").count())
print(Thing.objects.extra(where=["name LIKE 'r%%'"]).count())
