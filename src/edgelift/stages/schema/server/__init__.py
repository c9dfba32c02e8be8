"""Schema's way for server databases: their catalogue becomes SQLite's, object by object."""
