"""Django's settings for its own tests on the backend of a moved PostgreSQL or MySQL database."""

import os

import django
from sqlite_transport import put_in_place

NAMES = {"default": "/suite/default.db", "other": "/suite/other.db"}
ORIGIN = os.environ["SUITE_ORIGIN"]
put_in_place({path: f"DB_{number}" for number, path in enumerate(NAMES.values())})

from edgelift.worker import django_moved

django_moved.install([{"origin": ORIGIN, "path": path} for path in NAMES.values()])
if os.environ.get("SUITE_CONTRIB"):
    # The tests of contrib.postgres ask for the vendor before they begin; its backend says sqlite.
    import unittest

    from django.db.models.options import Options

    skip_unless = unittest.skipUnless
    unittest.skipUnless = lambda holds, why: skip_unless(holds or "PostgreSQL specific" in why, why)
    Options.can_migrate = lambda self, connection: (
        not self.proxy and not self.swapped and self.managed
    )

DATABASES = {
    name: {"ENGINE": f"django.db.backends.{ORIGIN}", "NAME": path, "TEST": {"NAME": path}}
    for name, path in NAMES.items()
}
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if django.VERSION < (6,):  # later versions test with their own default
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "database_runner.DatabaseRunner"
