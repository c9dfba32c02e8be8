import importlib

application = getattr(importlib.import_module("flask"), "Flask")("hidden")
