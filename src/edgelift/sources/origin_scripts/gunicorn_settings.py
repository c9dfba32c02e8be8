"""Settings for gunicorn: one worker, four threads; names an older gunicorn lacks are ignored."""

workers = 1
threads = 4
timeout = 120
graceful_timeout = 1
keepalive = 75  # a replay uses one connection, whatever pauses lie in between
control_socket_disable = True  # it would be made in the user's home folder
