"""What [crawlers] decides: who is refused, what robots.txt says, and whose robots.txt counts."""

from __future__ import annotations

from pathlib import Path
from urllib import robotparser

import pytest
from msgspec.structs import replace

from portico.check.noted import noted_findings
from portico.errors import Problem
from portico.plan.decide import decided
from portico.plan.notes.build import notes
from portico.plan.web.unwanted.crawlers import untold, unwelcome
from portico.reading import OURS
from portico.site.access.rules import networks_of
from portico.site.facts import RootFile
from tests.plan.test_golden import case, read

RULES = """
[test.facts.unrouted]
rules = [{ rule = "/", pattern = "/" }]
"""


def rules(rule: str, pattern: str) -> str:
    return RULES.replace('rule = "/", pattern = "/"', f'rule = "{rule}", pattern = "{pattern}"')


TOML = '[crawlers]\nsearch = "allow"\ntraining = "refuse"\n'


def test_robots_txt_means_what_nginx_does(tmp_path: Path) -> None:
    plan = case(TOML + 'refuse = ["BadBot"]\nassistants = "1/second"\n' + RULES, tmp_path)
    parser = robotparser.RobotFileParser()
    parser.parse(plan.file("robots.txt").content.splitlines())
    refused = {
        name
        for name in ("GPTBot", "CCBot", "BadBot", "Googlebot", "ChatGPT-User", "x")
        if not parser.can_fetch(name, "/a")
    }
    assert refused == {"GPTBot", "CCBot", "BadBot"}
    assert str(parser.crawl_delay("ChatGPT-User")) == "1"


@pytest.mark.parametrize(
    ("toml", "note"),
    [
        (TOML + rules("/robots.txt", "/robots.txt"), "the rule /robots.txt answers it"),
        (TOML + rules("/<name>", "/[^/]+"), "the rule /<name> answers it"),
        ('mount = "/shop"\n' + TOML + RULES, "this site is below /shop"),
        (TOML, "since it is not known whether it has one"),
        (TOML + '[nginx]\nserver = ["location = /robots.txt { return 204; }"]\n' + RULES, "own directives answers it"),
    ],
)  # fmt: skip
def test_where_nginx_writes_none_a_note_says_why(tmp_path: Path, toml: str, note: str) -> None:
    web = decided(*read(toml, tmp_path))
    assert web.robots is None
    assert [one for one in notes(web) if note in one], notes(web)


def test_nothing_is_written_where_nothing_is_said(tmp_path: Path) -> None:
    web = decided(*read("[crawlers]\nsearch = 'allow'\n" + RULES, tmp_path))
    assert (web.robots, web.crawlers) == (None, None)
    assert decided(*read("[crawlers]\nrobots = true\n", tmp_path)).robots
    assert decided(*read(TOML + "robots = false\n" + RULES, tmp_path)).robots is None


def test_what_a_robots_txt_of_the_site_says_otherwise(tmp_path: Path) -> None:
    site, _ = read(TOML + RULES, tmp_path)
    nothing = "User-agent: *\nDisallow: /private\n"
    assert "GPTBot" in untold(site, nothing)
    assert "Google-Extended" not in untold(site, nothing), "nginx cannot refuse it"
    everybody = "# all\nuser-agent: a\nUser-Agent: *\nDisallow: /*\n"
    assert untold(site, everybody) == []
    assert "Googlebot" in unwelcome(site, everybody)
    assert unwelcome(site, nothing) == []
    mine = "User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n\nUser-agent: *\nAllow: /\n"
    assert not {"GPTBot", "CCBot"} & {*untold(site, mine)}
    assert "ClaudeBot" in untold(site, mine)


def test_check_names_what_a_robots_txt_among_the_files_says_otherwise(tmp_path: Path) -> None:
    site, place = read(TOML + RULES, tmp_path)
    file = tmp_path / "robots.txt"
    file.write_text("User-agent: Googlebot\nDisallow: /\n")
    site = replace(site, root_files=(RootFile("/robots.txt", str(file), "the single-page app"),))
    found = [finding.what for finding in noted_findings(site, place) if finding.subject == "robots.txt"]
    assert any("it lets GPTBot, ClaudeBot, CCBot, Amazonbot and" in one for one in found), found
    assert any("it keeps out Googlebot, whom [crawlers] allows" in one for one in found), found
    assert decided(site, place).robots is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"prefixes": [{"ipv4Prefix": "192.0.2.0/24"}, {"ipv6Prefix": "::/32"}]}', ("192.0.2.0/24", "::/32")),
        ("192.0.2.0/24\n# x\n", ("192.0.2.0/24",)),
        ('{"prefixes": [{"ipv4Prefix": "nonsense"}]}', ()),
        ('{"prefixes": 5}', ()),
        ("{", ()),
    ],
)  # fmt: skip
def test_networks_are_read_as_lists_and_as_search_engines_publish_them(
    tmp_path: Path, text: str, found: tuple[str, ...]
) -> None:
    (tmp_path / "bot.json").write_text(text)
    problems = list[Problem]()
    assert networks_of("x", ["bot.json"], "portico.toml:1", tmp_path, OURS, problems) == found
    assert bool(problems) != bool(found)
