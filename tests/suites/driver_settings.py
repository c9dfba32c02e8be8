"""Django's settings for its own tests on one of the Worker's PostgreSQL modules.

The environment says which: SUITE_DRIVER, SUITE_URL, SUITE_PREFIX, and SUITE_SOURCE for ours.
"""

import os
import sys
from urllib.parse import urlsplit

import django

if os.environ.get("SUITE_SOURCE"):
    sys.path.insert(0, os.environ["SUITE_SOURCE"])
    from edgelift.worker.postgres import install

    install()
if os.environ["SUITE_DRIVER"] == "psycopg2":
    sys.modules["psycopg"] = None  # Django takes it when it can be imported

_url = urlsplit(os.environ["SUITE_URL"])
_server = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": _url.hostname,
    "PORT": _url.port,
    "USER": _url.username,
    "PASSWORD": _url.password,
}
_prefix = os.environ.get("SUITE_PREFIX", "suite")
DATABASES = {
    "default": {**_server, "NAME": f"{_prefix}_default"},
    "other": {**_server, "NAME": f"{_prefix}_other"},
}
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if django.VERSION < (6,):  # later versions test with their own default
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
