"""How gunicorn serves: one small process, as many environments share a machine."""

bind = "0.0.0.0:8080"
workers = 1
threads = 4
graceful_timeout = 5  # within the pod's grace period
