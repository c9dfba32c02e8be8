from flask import Flask, request

app = Flask(__name__)


def main():
    app.run(port=5000)


if __name__ == "__main__":
    main()
