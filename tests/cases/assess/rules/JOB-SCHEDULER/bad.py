from flask import Flask, request

app = Flask(__name__)


from apscheduler.schedulers.background import BackgroundScheduler

scheduler = BackgroundScheduler()  # <- JOB-SCHEDULER
