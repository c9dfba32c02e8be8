"""What `django.db.backends.postgresql` is where its database was moved."""
