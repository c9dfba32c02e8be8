from flask import Flask, request

app = Flask(__name__)


import smtplib


@app.post("/mail")
def mail():
    with smtplib.SMTP("localhost") as server:  # <- NET-SMTP
        server.sendmail("a@example.com", "b@example.com", "x")
    return ""
