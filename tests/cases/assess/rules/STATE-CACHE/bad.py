from flask import Flask, request

app = Flask(__name__)


from functools import lru_cache

from cachetools import TTLCache

memory = TTLCache(100, 60)  # <- STATE-CACHE


@lru_cache  # <- STATE-CACHE
def load(name):
    return name


@app.get("/")
def index():
    return load("x")
