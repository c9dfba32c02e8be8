from flask import Flask, request

app = Flask(__name__)


class Draft:
    def save(self, name):
        return name


@app.post("/")
def upload():
    size = len(request.files["photo"].read())
    return Draft().save("x") + str(size)
