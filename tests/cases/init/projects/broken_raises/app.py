from flask import Flask

import settings

app = Flask(settings.NAME)
