from flask import Flask, request

app = Flask(__name__)


import socket


@app.get("/")
def index():
    client = socket.create_connection(("example.com", 80))
    client.sendall(b"x")
    return ""
