"""The part of edgelift that runs inside the Worker, under Pyodide; it imports nothing else of edgelift.

`runtime` is what the JavaScript loop calls, `production` what a deployed entry module calls; both use the adapters
`wsgi` and `asgi`, the green threads of `flows`, the event loop of `loop` and the patches of `patches`.
"""
