"""Everything read from the origin: its databases, its Python, its app as a server."""
