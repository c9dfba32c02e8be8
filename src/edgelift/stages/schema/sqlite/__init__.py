"""Schema's way for SQLite files that `[schema]` changes: SQLite itself renames and drops."""
