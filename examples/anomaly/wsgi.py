"""Entry point: `gunicorn wsgi:app` or `flask --app wsgi run`."""

from anomaly import create_app

app = create_app()
