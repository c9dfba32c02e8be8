from flask import Flask, request

app = Flask(__name__)


def load_extension(name):
    return name


load_extension("x")
