from flask import Flask, request

app = Flask(__name__)


app.config["SESSION_TYPE"] = "sqlalchemy"
