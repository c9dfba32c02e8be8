from flask import Flask, request

app = Flask(__name__)


class Scheduler:
    def start(self):
        pass


Scheduler().start()
