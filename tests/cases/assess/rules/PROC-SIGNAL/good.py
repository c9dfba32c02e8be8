from flask import Flask, request

app = Flask(__name__)


import signal

from blinker import Signal

saved = Signal()
NUMBER = signal.SIGTERM
