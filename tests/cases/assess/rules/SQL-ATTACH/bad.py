from flask import Flask, request

app = Flask(__name__)


def move(db):
    db.execute("ATTACH DATABASE 'other.db' AS other")  # <- SQL-ATTACH
