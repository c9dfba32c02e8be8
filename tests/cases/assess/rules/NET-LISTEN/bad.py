from flask import Flask, request

app = Flask(__name__)


import socket

server = socket.socket()
server.bind(("", 9000))  # <- NET-LISTEN
server.listen()  # <- NET-LISTEN
