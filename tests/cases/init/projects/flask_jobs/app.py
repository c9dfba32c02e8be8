from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

app = Flask(__name__)


def tidy(word=""):
    return word


scheduler = BackgroundScheduler(timezone="UTC")
scheduler.add_job(tidy, "interval", minutes=15, id="quarter")
scheduler.add_job(tidy, "interval", hours=1, id="hourly")
scheduler.add_job(tidy, "cron", hour=2, minute=30, day_of_week="0,4", id="nightly")
scheduler.add_job(tidy, "interval", minutes=7, id="odd")
scheduler.add_job(tidy, "interval", seconds=10, id="seconds")
scheduler.add_job(tidy, "cron", hour=3, timezone="Europe/Paris", id="paris")
scheduler.add_job(tidy, "cron", day="last", hour=1, id="last-day")
scheduler.start()
