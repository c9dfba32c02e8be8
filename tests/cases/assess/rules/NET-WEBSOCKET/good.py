from flask import Flask, request

app = Flask(__name__)


from flask import stream_with_context


@app.get("/")
def index():
    return app.response_class(stream_with_context(iter(["data: x"])))
