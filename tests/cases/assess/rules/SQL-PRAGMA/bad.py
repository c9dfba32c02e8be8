from flask import Flask, request

app = Flask(__name__)


def load(db):
    db.execute("PRAGMA foreign_keys = OFF")  # <- SQL-PRAGMA
