from flask import Flask, request

app = Flask(__name__)


import socket


@app.get("/")
def index():
    return str(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
