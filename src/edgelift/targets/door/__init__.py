"""The way into deployed databases, SQL objects and D1, through the door of the sql project.

`client` asks, `cells` keeps values exact and hashes them, `batches` cuts statements to what a
request may hold, `remote` applies each batch once and reads back, `loads` says what travels.
"""
