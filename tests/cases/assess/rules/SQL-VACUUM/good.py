from flask import Flask, request

app = Flask(__name__)


def tidy(db):
    return "Vacuum cleaners", db.execute("SELECT name FROM vacuum")
