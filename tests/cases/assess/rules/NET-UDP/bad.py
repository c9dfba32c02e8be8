from flask import Flask, request

app = Flask(__name__)


import socket


@app.get("/")
def index():
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # <- NET-UDP
    sender.sendto(b"x", ("127.0.0.1", 8125))
    return ""
