from flask import Flask, request

app = Flask(__name__)


def move(db):
    db.execute("SELECT 'ATTACH' FROM item")
    return "Attach the file from the menu"
