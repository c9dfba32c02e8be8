"""Settings of the museum: its database is on the server that DATABASE_URL names."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pymysql

pymysql.install_as_MySQLdb()

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ.get("SECRET_KEY", "only-for-tests")
DEBUG = False
ALLOWED_HOSTS = ["*"]
SERVER = urlsplit(os.environ.get("DATABASE_URL", "postgresql://localhost/museum"))
POSTGRES = SERVER.scheme.startswith("postgres")
OPTIONS = {"connect_timeout": 10} if POSTGRES else {"charset": "utf8mb4"}
DATABASES = {
    "default": {
        "ENGINE": f"django.db.backends.{'postgresql' if POSTGRES else 'mysql'}",
        "NAME": unquote(SERVER.path.lstrip("/")),
        "USER": unquote(SERVER.username or ""),
        "PASSWORD": unquote(SERVER.password or ""),
        "HOST": SERVER.hostname or "",
        "PORT": str(SERVER.port or ""),
        "OPTIONS": OPTIONS,
        "CONN_MAX_AGE": 60,
        "ATOMIC_REQUESTS": True,
    }
}
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "gallery",
]
if POSTGRES:
    INSTALLED_APPS += ["django.contrib.postgres", "words"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "house.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
WSGI_APPLICATION = "house.wsgi.application"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "Europe/Berlin"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
