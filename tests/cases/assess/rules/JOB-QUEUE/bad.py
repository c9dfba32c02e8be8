from flask import Flask, request

app = Flask(__name__)


from celery import Celery  # <- JOB-QUEUE

celery = Celery()
