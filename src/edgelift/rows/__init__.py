"""Rows: how a table's wire bytes become hashed rows of a SQLite file; used by sources and data."""
