from flask import Flask, request

app = Flask(__name__)


app.config["CACHE_TYPE"] = "NullCache"
