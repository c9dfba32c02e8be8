from flask import Flask, request

app = Flask(__name__)


def create_function(name):
    return name


def prepare(tool):
    return create_function("x"), tool.create_function("x")
