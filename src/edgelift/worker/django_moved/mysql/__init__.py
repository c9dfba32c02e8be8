"""What `django.db.backends.mysql` is where its database was moved."""
