from flask import Flask, request

app = Flask(__name__)


from sqlalchemy import func


def sizes(db, item):
    db.execute("SELECT if(width, 2, 1), soundex(name) FROM item")  # <- SQL-FUNCTION
    return func.soundex(item.name)  # <- SQL-FUNCTION
