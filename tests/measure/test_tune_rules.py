"""What `portico tune` tries, and what it keeps of that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from portico.cli.tune.apply import Config, changed
from portico.cli.tune.table import lines
from portico.log.request import Request
from portico.measure.model import Contender, Results, Route, Sample
from portico.measure.routes import timed_out
from portico.measure.tune.model import Advice, Candidate, Looked, Outcome, Seen, SeenFolder, Tuned
from portico.measure.tune.outcome import PRESENT, TRIED, answered, outcome
from portico.measure.tune.rules import candidates, is_declared
from portico.measure.tune.times import timeout_of
from portico.measure.tune.trial import with_flags
from portico.site.facts import AppFacts, AppSettings, Risk
from portico.site.load import load
from portico.site.model import Site
from portico.site.routed import routed
from tests.plan.test_golden import PLACE

TWO = replace(PLACE, cpus=2.0, memory=4 << 30)
COMPUTES = Seen("/sum", 200, alone_ms=20.0, cpu_ms=19.0, vary="Cookie")
WAITS = Seen("/wait", 200, alone_ms=51.0, cpu_ms=1.0)
PUBLIC = Seen("/prices", 200, 9.0, 8.0, size=4000, cache_control="public, max-age=60", is_same=True)
LATE = Seen("/report", 504, 1000.0, 0.0, needed_ms=2510.0)


def _site(tmp_path: Path, toml: str, flags: dict[str, str] | None = None, **facts: Any) -> Site:
    (tmp_path / "portico.toml").write_text(toml)
    options, causes = load(tmp_path / "portico.toml", flags or {})
    return Site(
        options, AppFacts("app:app", str(tmp_path), kind="flask", **facts), str(tmp_path), "shop", causes
    )


def _tried(site: Site, *routes: Seen, folders: tuple[SeenFolder, ...] = ()) -> list[tuple[str, str, str]]:
    made, _ = candidates(site, TWO, Looked(routes, folders, 4.0))
    return [(one.line, one.figure, one.path) for one in made]


def _advice(site: Site, *routes: Seen, folders: tuple[SeenFolder, ...] = ()) -> list[Advice]:
    made, advice = candidates(site, TWO, Looked(routes, folders, 4.0))
    assert not made
    return advice


@pytest.mark.parametrize(
    ("toml", "seen", "wanted"),
    [
        ("[workers]\ncount = 1\n", COMPUTES, ('workers.count = "auto"', "requests/s", "/sum")),
        ("[workers]\ncount = 12\n", COMPUTES, ('workers.count = "auto"', "memory, MB", "/sum")),
        ("[workers]\nthreads = 1\n", WAITS, ('workers.threads = "auto"', "requests/s", "/wait")),
        ("[workers]\nthreads = 64\n", COMPUTES, ('workers.threads = "auto"', "requests/s", "/sum")),
        ('[cache]\nsize = "0B"\n', PUBLIC, ('cache.size = "256MiB"', "CPU µs a request", "/prices")),
        ("", replace(PUBLIC, size=3 << 20), ('cache.item = "4MiB"', "CPU µs a request", "/prices")),
        ('request_timeout = "1s"\n', LATE, ('request_timeout = "6s"', "answered of 100", "/report")),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_seen(tmp_path: Path, toml: str, seen: Seen, wanted: tuple[str, str, str]) -> None:
    assert _tried(_site(tmp_path, toml), seen) == [wanted]


def test_a_page_that_its_own_route_ends_is_not_helped_by_request_timeout(tmp_path: Path) -> None:
    late = replace(LATE, needed_ms=0.0)
    for toml, where in (
        ('[routes."/report"]\ntimeout = "2s"\n', "portico.toml:2"),
        ('[routes."/<path:rest>"]\ntimeout = "2s"\n', "portico.toml:2"),
    ):
        site = _site(tmp_path, toml)
        site = replace(site, routed=routed(site.options, site.facts, site.causes))
        (advice,) = _advice(site, late)
        assert advice.line == "GET /report"
        assert "is ended after 2s (504) by the timeout of its own route" in advice.why
        assert where in advice.why
        assert "background" not in advice.why
    assert str(timeout_of(site, "/report?a=1")) == "2s"
    assert str(timeout_of(_site(tmp_path, 'request_timeout = "7s"'), "/report")) == "7s"


def test_a_folder_that_the_app_sends_is_tried(tmp_path: Path) -> None:
    folder = SeenFolder("/assets/", "assets", "/assets/a.css", 3)
    wanted = ('static."/assets/" = "assets"', "CPU µs a request", "/assets/a.css")
    assert _tried(_site(tmp_path, ""), COMPUTES, folders=(folder,)) == [wanted]
    guarded = replace(folder, problem="the app's GET /assets/b.css answers 403")
    (advice,) = _advice(_site(tmp_path, ""), COMPUTES, folders=(guarded,))
    assert advice.why == "not tried: the app's GET /assets/b.css answers 403"


@pytest.mark.parametrize(
    ("toml", "seen"),
    [
        ("", COMPUTES),
        ("", WAITS),
        ("", PUBLIC),
        ("[workers]\ncount = 2\nthreads = 1\n", COMPUTES),
        ('[workers]\ncount = "auto"\nthreads = 64\n', WAITS),
        ('[cache]\nsize = "0B"\n', COMPUTES),
    ],
)
def test_nothing_is_tried_where_no_rule_applies(tmp_path: Path, toml: str, seen: Seen) -> None:
    assert _tried(_site(tmp_path, toml), seen) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"cache_control": "private, max-age=60"},
        {"cache_control": "max-age=60"},
        {"cache_control": "public, max-age=0"},
        {"cache_control": "public, max-age=60, no-store"},
        {"cache_control": 'public="x", max-age=60'},
        {"sets_cookie": True},
        {"vary": "*"},
        {"status": 500},
    ],
)
def test_only_what_the_app_declares_public_is_for_the_cache(fields: dict[str, Any]) -> None:
    assert is_declared(PUBLIC)
    assert is_declared(replace(PUBLIC, cache_control="s-maxage=5"))
    assert not is_declared(replace(PUBLIC, **fields))


def test_answers_that_are_only_alike_are_for_a_person(tmp_path: Path) -> None:
    alike = replace(PUBLIC, cache_control="")
    (advice,) = _advice(_site(tmp_path, ""), alike)
    assert advice.line == 'routes."/prices".cache = "10s"'
    for other in (
        {"sets_cookie": True},
        {"vary": "Cookie"},
        {"is_same": False},
        {"cache_control": "no-cache"},
    ):
        assert _advice(_site(tmp_path, ""), replace(alike, **other)) == []


def test_what_several_processes_or_threads_would_break_is_not_tried(tmp_path: Path) -> None:
    risk = Risk("memory", "ITEMS (shop.py:14) is another list in each process", "")
    (advice,) = _advice(_site(tmp_path, "[workers]\ncount = 1\n", risks=[risk]), COMPUTES)
    assert "ITEMS (shop.py:14)" in advice.why
    per_thread = AppSettings(per_thread=["LOCAL (shop.py:3)"])
    (advice,) = _advice(_site(tmp_path, "[workers]\nthreads = 1\n", settings=per_thread), WAITS)
    assert "LOCAL (shop.py:3) differs from thread to thread" in advice.why
    site = _site(tmp_path, "[workers]\ncount = 1\n", one_process="clients poll one process")
    assert _advice(site, COMPUTES) == []


def test_a_key_of_the_command_line_is_not_proposed(tmp_path: Path) -> None:
    (advice,) = _advice(_site(tmp_path, "", {"workers": "1"}), COMPUTES)
    assert advice.why == "not tried: --workers on the command line would win over this line"


def test_a_variable_of_the_environment_is_not_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTICO_WORKERS_COUNT", "1")
    (advice,) = _advice(_site(tmp_path, ""), COMPUTES)
    assert advice.why == "not tried: PORTICO_WORKERS_COUNT in the environment would win over this line"


def test_a_page_that_never_ends_is_said(tmp_path: Path) -> None:
    (advice,) = _advice(_site(tmp_path, 'request_timeout = "1s"\n'), replace(LATE, needed_ms=0.0))
    assert advice == Advice(
        "GET /report", "no answer in 4 s either: a background process should do such work"
    )


def test_a_setting_is_a_flag_of_the_copy(tmp_path: Path) -> None:
    """The flags mean the same as the lines that are written."""
    kept = [
        Candidate(("workers", "count"), "auto", "requests/s", "/", ""),
        Candidate(("request_timeout",), "6s", "answered of 100", "/", ""),
        Candidate(("static", "/assets/"), "assets", "CPU µs a request", "/", ""),
        Candidate(("static", "/b.c/"), "b", "CPU µs a request", "/", ""),
        Candidate(("cache", "size"), "256MiB", "CPU µs a request", "/", ""),
    ]
    text = 'workers = 1  # one\nrequest_timeout = "1s" # too short\n[cache]\nsize = "0B"\n'
    path = tmp_path / "portico.toml"
    path.write_text(text)
    by_flags, _ = load(path, with_flags({}, kept))
    change, left = changed(Config(path, text, exists=True), kept)
    assert left == []
    path.write_text(change.after)
    assert load(path, {})[0] == by_flags
    assert change.after.startswith('workers = "auto"  # one\nrequest_timeout = "6s" # too short\n')


def _results(figures: dict[str, list[tuple[float, float]]], failed: int = 0) -> Results:
    """For each contender, requests a second and memory of each round."""
    samples = [
        Sample(
            contender=key, route="/sum", round=number, requests=int(rate), seconds=1.0, p50_ms=1.0, p99_ms=2.0,
            failed=failed if key == TRIED else 0, cpu_us={"app": 1e6 / rate}, memory_mb={"app": memory}, workers=1,
            cores=2,
        )
        for key, rounds in figures.items()
        for number, (rate, memory) in enumerate(rounds)
    ]  # fmt: skip
    pair = [Contender(key, key, "") for key in (PRESENT, TRIED)]
    return Results("", "app:app", "", 3, 1, 64, [Route("/sum", "")], pair, samples, [])


MORE = Candidate(("workers", "count"), "auto", "requests/s", "/sum", "")
BEFORE = [(100.0, 60.0), (110.0, 60.0), (90.0, 60.0), (104.0, 60.0)]


def _times(rate: float, memory: float) -> list[tuple[float, float]]:
    noise = (1.0, 1.01, 0.99, 1.02)
    return [(one * rate * by, size * memory * by) for (one, size), by in zip(BEFORE, noise, strict=True)]


def test_what_is_better_beyond_the_noise_is_kept_with_what_it_costs() -> None:
    found = outcome(MORE, _results({PRESENT: BEFORE, TRIED: _times(1.9, 1.5)}), 2)
    assert found.is_kept
    assert found.ratio is not None
    assert found.ratio.ratio == pytest.approx(1.9, rel=0.02)
    assert (found.before, found.costs) == (102.0, "memory 60 to 90 MB")


@pytest.mark.parametrize(
    ("rate", "memory", "failed", "reason"),
    [
        (1.02, 1.0, 0, "no difference in requests/s seen"),
        (0.5, 1.0, 0, "worse: requests/s 0.50 x"),
        (1.9, 1.0, 9, "% of requests fail then"),
    ],
)
def test_anything_else_is_not(rate: float, memory: float, failed: int, reason: str) -> None:
    found = outcome(MORE, _results({PRESENT: BEFORE, TRIED: _times(rate, memory)}, failed), 2)
    assert not found.is_kept
    assert reason in found.reason


def test_less_memory_may_not_cost_requests() -> None:
    less = replace(MORE, figure="memory, MB")
    assert outcome(less, _results({PRESENT: BEFORE, TRIED: _times(1.0, 0.3)}), 1).is_kept
    found = outcome(less, _results({PRESENT: BEFORE, TRIED: _times(0.6, 0.3)}), 1)
    assert found.reason.startswith("fewer requests/s: 0.6")


def test_a_copy_that_does_not_start_is_a_reason() -> None:
    results = _results({PRESENT: BEFORE})
    missing = replace(results, contenders=[Contender(TRIED, "with it", "", "python ended with 2")])
    assert outcome(MORE, missing, 1).reason == "python ended with 2"


def test_a_page_that_is_answered_then_is_kept() -> None:
    assert answered(MORE, 0, 3, 3) == Outcome(MORE, is_kept=True, before=0.0, after=100.0)
    assert not answered(MORE, 0, 0, 3).is_kept


def test_a_person_reads_the_line_its_figure_and_why() -> None:
    found = outcome(
        replace(MORE, why="one process", caution="why one?"),
        _results({PRESENT: BEFORE, TRIED: _times(1.9, 1.5)}),
        1,
    )
    rejected = Outcome(replace(MORE, key=("workers", "threads")), is_kept=False, reason="no difference")
    tuned = Tuned("app:app", "2 cores", [found, rejected], [Advice("routes", "look")], [], [])
    text = "\n".join(re.sub(r"\x1b\[\d+m", "", line) for line in lines(tuned, ["-a", "+b"], []))
    assert 'workers.count = "auto"\n  requests/s, GET /sum: 102 -> 19' in text
    assert "It costs memory 60 to 90 MB." in text
    assert "Look first: why one?" in text
    assert 'tried: workers.threads = "auto": no difference' in text
    nothing = "\n".join(lines(replace(tuned, outcomes=[]), [], []))
    assert nothing.startswith("nothing to gain was found: no rule applies")
    assert msgspec.json.encode(tuned)


def test_the_log_names_the_page_that_runs_out_of_time() -> None:
    late = [Request(uri="/report?y=1", status=504, method="GET")] * 3 + [
        Request(uri="/b", status=504, method="GET")
    ]
    others = [
        Request(uri="/c", status=504, method="POST"),
        Request(uri="/logout", status=504, method="GET"),
    ] * 5
    assert [(one.path, one.status) for one in timed_out([*late, *others])] == [("/report?y=1", 504)]
    assert timed_out([]) == []
