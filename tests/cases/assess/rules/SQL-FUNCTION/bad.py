from flask import Flask, request

app = Flask(__name__)


from sqlalchemy import func


def sizes(db, item):
    db.execute("SELECT power(width, 2), log10(height) FROM item")  # <- SQL-FUNCTION
    return func.ceiling(item.width)  # <- SQL-FUNCTION
