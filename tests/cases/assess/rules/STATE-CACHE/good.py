from flask import Flask, request

app = Flask(__name__)


from functools import wraps


def cache(function):
    @wraps(function)
    def inner():
        return function()

    return inner


@app.get("/")
@cache
def index():
    return ""
