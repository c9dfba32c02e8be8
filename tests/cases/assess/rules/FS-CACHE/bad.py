from flask import Flask, request

app = Flask(__name__)


import diskcache

cache = diskcache.Cache("cache")  # <- FS-CACHE
app.config["CACHE_TYPE"] = "FileSystemCache"  # <- FS-CACHE
