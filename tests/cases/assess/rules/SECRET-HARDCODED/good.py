from flask import Flask, request

app = Flask(__name__)


import os

app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY", "")
TOKEN_FIELD = "access_token"
password = request.form["password"] if request else ""
LABELS = {"password": "Your password, please", "token": "token"}
URL = "postgresql://{user}:{password}@db.example.com/shop"
