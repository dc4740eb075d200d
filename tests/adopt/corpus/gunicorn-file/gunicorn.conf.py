import multiprocessing

wsgi_app = "api:create_app()"
bind = ["127.0.0.1:8000"]
workers = multiprocessing.cpu_count() * 2 + 1
timeout = 120
worker_class = "gevent"
raw_env = ["API_TOKEN=hidden"]
accesslog = "-"


def post_fork(server: object, worker: object) -> None:
    print(server, worker)
