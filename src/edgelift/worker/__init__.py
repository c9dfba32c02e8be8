"""The part of edgelift that runs inside the Worker, under Pyodide, and imports nothing else of it.

`runtime` is what the JavaScript loop calls, `production` what a deployed entry module calls; both
use the servers `wsgi` and `asgi`, the green threads of `flows`, the event loop of `loop` and the
patches of `patches`.
"""
