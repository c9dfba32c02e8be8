from flask import Flask, request

app = Flask(__name__)


from sqlalchemy import func


def power(a, b):
    return a**b


def sizes(db, item):
    db.execute("SELECT pow(width, 2), power FROM item WHERE name = 'power(2)'")
    return func.lower(item.name), power(2, 3), "Choose power(s) from the list"
