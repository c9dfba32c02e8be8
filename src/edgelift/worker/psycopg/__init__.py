"""The libpq of psycopg 3 in Python: the application's own psycopg package runs on it unchanged.

psycopg is pure Python but for its access to libpq (`psycopg.pq`). postgres.installing puts
`pq_module` of this package in the place of `psycopg.pq.pq_ctypes`.
"""
