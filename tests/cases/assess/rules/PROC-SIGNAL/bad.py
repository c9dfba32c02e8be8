from flask import Flask, request

app = Flask(__name__)


import signal

signal.signal(signal.SIGTERM, lambda *_: None)  # <- PROC-SIGNAL
