from flask import Flask, request

app = Flask(__name__)


from email.message import EmailMessage


@app.post("/mail")
def mail():
    return str(EmailMessage())
