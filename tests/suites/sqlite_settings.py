"""Django's settings for its own tests on the Worker's sqlite3."""

import django
from sqlite_transport import put_in_place

NAMES = {"default": "/suite/default.db", "other": "/suite/other.db"}
put_in_place({path: f"DB_{number}" for number, path in enumerate(NAMES.values())})

DATABASES = {
    name: {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "TEST": {"NAME": path}}
    for name, path in NAMES.items()
}
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if django.VERSION < (6,):  # later versions test with their own default
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "database_runner.DatabaseRunner"
