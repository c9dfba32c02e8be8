"""The app that is deployed in this test."""

import os
import time

from flask import Flask, Response, jsonify, request, stream_with_context

app = Flask(__name__)
ran = []


@app.get("/hello")
def hello():
    time.sleep(0.01)
    return jsonify(os.environ.get("GREETING"), request.remote_addr, request.args.getlist("a"))


@app.post("/echo")
def echo():
    response = Response(request.get_data())
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.get("/stream")
def stream():
    @stream_with_context
    def parts():
        for number in range(3):
            time.sleep(0.01)
            yield f"{request.path}{number}"

    return Response(parts())


@app.get("/nothing")
def nothing():
    return "", 204


def job():
    ran.append("job")


def failing():
    raise ValueError("no luck")
