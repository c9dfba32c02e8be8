from flask import Flask, request

app = Flask(__name__)


def load(db):
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA journal_mode = WAL")
