from flask import Flask, request

app = Flask(__name__)


import queue

waiting = queue.Queue
