from flask import Flask, request

app = Flask(__name__)


def prepare(db):
    db.execute("CREATE TABLE temporary_items (id INTEGER)")
