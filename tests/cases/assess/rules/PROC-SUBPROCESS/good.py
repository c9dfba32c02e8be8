from flask import Flask, request

app = Flask(__name__)


import subprocess


class Runner:
    def run(self):
        return "mine"


@app.get("/")
def index():
    return Runner().run()


@app.cli.command("build")
def build():
    subprocess.run(["make"])


if __name__ == "__main__":
    subprocess.run(["make"])
