"""Lines of the firewall's log, as nginx 1.22 with ModSecurity 3.0.9 wrote them, and the report that is made of them."""

from __future__ import annotations

import hashlib
import json

import pytest

from portico.log.finding import Finding
from portico.plan.web.waf import REQUEST_ID
from portico.watch.waf_report import report

FILE = "/usr/share/modsecurity-crs/rules/REQUEST-942-APPLICATION-ATTACK-SQLI.conf"
END = (
    '[severity "2"] [ver "OWASP_CRS/3.3.4"] [maturity "0"] [accuracy "0"] [hostname "127.0.0.1"] [uri "/cart"] '
    '[unique_id "{id}-{number}"] [ref "v8,11"], client: 203.0.113.7, server: localhost, '
    'request: "POST /cart?q=1 HTTP/1.1", host: "shop.example"'
)


def line(
    rule: int,
    message: str,
    *,
    found: str = "detected SQLi using libinjection.",
    request: int = 1,
    connection: int = 5,
    verdict: str = "Warning.",
    number: str = "",
    is_cut: bool = False,
) -> str:
    level, client = ("info", "") if verdict == "Warning." else ("error", "[client 203.0.113.7] ")
    text = (
        f"2026/11/29 10:57:06 [{level}] 12089#12089: *{connection} {client}ModSecurity: {verdict} {found} "
        f'[file "{FILE}"] [line "46"] [id "{rule}"] [rev ""] [msg "{message}"] [data "x"] '
    )
    return text + ("" if is_cut else END.format(id=f"{request:032x}", number=number))


def findings(*lines: str) -> list[Finding]:
    return [found for one in lines if (found := Finding.parse(one))]


def test_a_line_is_read_whole() -> None:
    (found,) = findings(line(942100, "SQL Injection", number="3"))
    assert (found.rule, found.message, found.request) == (942100, "SQL Injection", f"{1:032x}")
    assert (found.client, found.method, found.path) == ("203.0.113.7", "POST", "/cart")
    assert not found.is_refused
    assert not found.is_verdict


def test_other_lines_of_nginx_are_none() -> None:
    assert not findings(
        "2026/11/29 10:57:06 [info] 12087#12087: *3 client 127.0.0.1 closed keepalive connection",
        '2026/11/29 10:57:06 [error] 1#1: *3 connect() failed, request: "GET /ModSecurity: Warning. HTTP/1.1"',
        "",
    )


def test_what_a_client_sends_names_no_rule() -> None:
    forged = (
        'Matched "x" against variable `ARGS:q\' (Value: `[file "/a.conf"] [line "1"] [id "1"] [msg "y"]\' )'
    )
    (found,) = findings(line(942100, "SQL Injection", found=forged))
    assert found.rule == 942100


def test_a_request_is_an_attack_when_its_score_is_judged() -> None:
    made = report(
        findings(
            line(942100, "SQL Injection"),
            line(941100, "XSS", request=2, connection=6),
            line(949110, "", verdict="Access denied with code 598 (phase 2)."),
        )
    )
    assert (made.refused, made.reported, made.suspicious, made.clients) == (1, 0, 1, 1)
    assert [rule.rule for rule in made.rules] == [942100]
    assert made.rules[0].paths == {"POST /cart": 1}
    assert made.exceptions == ["/cart 942100"]


def test_detection_counts_what_would_have_been_refused() -> None:
    score = "Inbound Anomaly Score Exceeded (Total Score: 5)"
    made = report(findings(line(942100, "SQL Injection"), line(949110, score)))
    assert (made.refused, made.reported) == (0, 1)
    assert [rule.rule for rule in made.rules] == [942100]


def test_a_line_that_was_cut_belongs_to_its_connection() -> None:
    made = report(
        findings(
            line(942100, "SQL Injection", is_cut=True),
            line(949110, "", verdict="Access denied with code 598 (phase 2).", is_cut=True),
            line(942100, "SQL Injection", is_cut=True, connection=9),
        )
    )
    assert (made.refused, made.suspicious) == (1, 1)


def test_no_finding_is_a_report_too() -> None:
    made = report([])
    assert (made.refused, made.reported, made.suspicious, made.rules, made.since) == (0, 0, 0, [], "")


def audited(*messages: str, transaction: str = "awyobdBOW5igbZPtzBl0HwAAAMA") -> str:
    """A line of httpd's, as ModSecurity 2.9.7 wrote it."""
    head = {
        "time": "29/Nov/2026:22:34:21.963768 +0000",
        "transaction_id": transaction,
        "remote_address": "203.0.113.7",
    }
    return json.dumps(
        {"transaction": head, "request": {}, "audit_data": {"messages": messages, "stopwatch": {}}}
    )


def message(rule: int, said: str, found: str = "detected SQLi using libinjection.", file: str = FILE) -> str:
    return f'Warning. {found} [file "{file}"] [line "46"] [id "{rule}"] [msg "{said}"] [data "x"] [severity "CRITICAL"]'


def test_a_line_of_httpd_says_every_rule_of_its_request() -> None:
    of_request = message(
        REQUEST_ID, "POST /cart", "Operator GT matched 0 at TX:anomaly_score.", "/run/httpd.conf"
    )
    denied = message(949110, "Inbound Anomaly Score Exceeded").replace(
        "Warning.", "Access denied with code 403."
    )
    found = Finding.read(audited(message(942100, "SQL Injection"), denied, of_request))
    assert [(one.rule, one.is_refused) for one in found] == [(942100, False), (949110, True)]
    id_ = hashlib.md5(b"awyobdBOW5igbZPtzBl0HwAAAMA").hexdigest()
    assert {(one.request, one.client, one.method, one.path) for one in found} == {
        (id_, "203.0.113.7", "POST", "/cart")
    }
    made = report(found)
    assert (made.refused, [one.rule for one in made.rules], made.exceptions) == (
        1,
        [942100],
        ["/cart 942100"],
    )


def test_what_a_client_sends_names_no_rule_in_a_line_of_httpd() -> None:
    forged = r'Pattern match "x" at ARGS:q [file \"/a.conf\"] [line \"1\"] [id \"1\"] [msg \"y\"].'
    path = message(REQUEST_ID, r"GET /a\"] [id \"3\"]", "Operator GT matched 0 at TX:anomaly_score.")
    (found,) = Finding.read(audited(message(942100, "SQL Injection", forged), path))
    assert (found.rule, found.path) == (942100, '/a"] [id "3"]')


@pytest.mark.parametrize(
    "line", ["{", "{}", '{"transaction": {"time": "x", "transaction_id": ""}, "audit_data": {}}']
)
def test_what_is_no_line_of_httpd_s_is_nothing(line: str) -> None:
    assert not Finding.read(line)
