from flask import Flask, request

app = Flask(__name__)


def prepare(db):
    db.create_function("shout", 1, str.upper)  # <- SQL-PYFUNCTION
