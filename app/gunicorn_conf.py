"""How gunicorn serves: one small process, as many environments share a machine."""

bind = "0.0.0.0:8080"
workers = 1
threads = 4
# The worker's heartbeat file: the root filesystem is read-only, and a real disk can stall it.
worker_tmp_dir = "/dev/shm"  # noqa: S108
graceful_timeout = 5
