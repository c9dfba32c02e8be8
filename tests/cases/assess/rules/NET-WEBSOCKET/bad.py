from flask import Flask, request

app = Flask(__name__)


from flask_socketio import SocketIO  # <- NET-WEBSOCKET

socketio = SocketIO(app)
