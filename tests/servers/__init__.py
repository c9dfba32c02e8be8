"""Database servers that tests start for themselves, each on a port of its own."""
