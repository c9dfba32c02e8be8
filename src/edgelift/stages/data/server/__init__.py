"""Data's way for server databases: rows stream in chunks, each proven on both sides."""
