"""portico.toml and flags in, options or the exact error text out."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from portico.errors import UsageError
from portico.site.keys import flag_keys, keys
from portico.site.load import load
from portico.values import Address, AppRef, Duration, Size
from tests.support import RULE, golden

GOLDEN = Path(__file__).parents[1] / "golden" / "load"


def flags_of(line: str) -> dict[str, Any]:
    """`flags: --listen x --static /a/=b` as the command line would give them."""
    found: dict[str, Any] = {}
    words = shlex.split(line.removeprefix("flags:"))
    for name, value in zip(words[::2], words[1::2], strict=True):
        key = flag_keys()[name.removeprefix("--")]
        if key.is_list or key.is_table:
            found.setdefault(name.removeprefix("--"), []).append(value)
        else:
            found[name.removeprefix("--")] = value
    return found


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_golden_error(path: Path, tmp_path: Path) -> None:
    text = path.read_text().partition(RULE)[0]
    first, _, rest = text.partition("\n")
    flags = flags_of(first) if first.startswith("flags:") else {}
    toml = tmp_path / "portico.toml"
    toml.write_text(rest if flags else text)
    with pytest.raises(UsageError) as caught:
        load(toml, flags)
    golden(path, f"{caught.value}\n")


def test_an_empty_file_is_a_site(tmp_path: Path) -> None:
    toml = tmp_path / "portico.toml"
    toml.write_text("")
    options, causes = load(toml, {})
    assert options.request_timeout == Duration(30)
    assert causes == {}


def test_flags_win_over_the_file_and_say_so(tmp_path: Path) -> None:
    toml = tmp_path / "portico.toml"
    toml.write_text('app = "shop:app"\nlisten = ":81"\n\n[workers]\nthreads = 3\n')
    options, causes = load(toml, {"listen": "127.0.0.1:82", "workers": "7"})
    assert options.app == AppRef("shop", "app")
    assert options.listen == Address("127.0.0.1", 82)
    assert (options.workers.count, options.workers.threads) == (7, 3)
    assert causes == {
        "app": "portico.toml:1",
        "listen": "--listen",
        "workers.threads": "portico.toml:5",
        "workers.count": "--workers",
    }


def test_names_in_capitals_are_the_same_names(tmp_path: Path) -> None:
    toml = tmp_path / "portico.toml"
    toml.write_text(
        'domains = ["SHOP.Example", "*.Shop.example"]\ncanonical = "Shop.Example"\n'
        '[[route]]\nhost = ["SHOP.example"]\nto = "http://127.0.0.1:81"\n'
    )
    options, _ = load(toml, {})
    assert (options.domains, options.canonical) == (["shop.example", "*.shop.example"], "shop.example")
    assert options.route[0].host == ["shop.example"]
    assert load(None, {"domains": ["Other.example"]})[0].domains == ["other.example"]


def test_a_header_s_value_is_no_expression_of_httpd(tmp_path: Path) -> None:
    toml = tmp_path / "portico.toml"
    toml.write_text('[headers.set]\nX-A = "Expr=%{file:/etc/passwd}"\n')
    with pytest.raises(UsageError, match="begins with expr="):
        load(toml, {})


def test_a_plain_value_means_the_section_s_shorthand(tmp_path: Path) -> None:
    toml = tmp_path / "portico.toml"
    toml.write_text('nginx = "system"\nworkers = 4\nerrors = "pages"\nlimits = "5/second"\n')
    options, _ = load(toml, {})
    assert options.nginx.binary == "system"
    assert options.workers.count == 4
    assert options.errors.pages == "pages"
    assert options.limits.rate == ["5/second"]


def test_every_example_of_an_option_is_valid(tmp_path: Path) -> None:
    from portico.site.reference_page import shown

    domain = 'domains = ["shop.example"]\n'
    asked = f'{domain}email = "me@shop.example"\n'
    company = {"canonical": domain, "email": domain, "https.mode": domain, "https.cert": "", "https.key": ""}
    company |= dict.fromkeys(
        ("behind_headers", "behind_only", "behind_protocol", "limits.account_header"),
        'behind = ["10.0.0.0/8"]\n',
    )
    company |= {"fleet.directory": 'upstream = ["10.0.0.2:8000"]\n'}
    beside = {"cert": 'key = "b"\n', "key": 'cert = "a"\n', "eab_kid": 'eab_hmac_file = "k"\n'}
    beside |= {"eab_hmac_file": 'eab_kid = "k"\n', "dns_credentials": 'dns = "cloudflare"\n'}
    above = {"headers.csp_report_only": 'preset = "api"\n'}
    above |= {key.name: 'origins = ["*"]\n' for key in keys() if key.name.startswith("cors.")}
    above |= {"cors.origins": "", "cors.credentials": 'origins = ["https://a.example"]\n'}
    above = {"headers.csp_report_only": 'preset = "api"\n'}
    above |= {key.name: 'origins = ["*"]\n' for key in keys() if key.name.startswith("cors.")}
    above |= {"cors.origins": "", "cors.credentials": 'origins = ["https://a.example"]\n'}
    for key in keys():
        section, _, name = key.name.rpartition(".")
        is_https = section == "https"
        head = company.get(key.name, asked if is_https else "") + (f"[{section}]\n" if section else "")
        head += beside.get(name, "") if is_https else above.get(key.name, "")
        toml = tmp_path / "portico.toml"
        toml.write_text(f"{head}{name} = {shown(key.example)}\n")
        load(toml, {})


@pytest.mark.parametrize(
    ("text", "seconds", "printed"),
    [
        ("500ms", 0.5, "500ms"),
        ("30s", 30, "30s"),
        ("90s", 90, "90s"),
        ("2m", 120, "2m"),
        ("1h", 3600, "1h"),
        ("1.5s", 1.5, "1500ms"),
    ],
)
def test_durations(text: str, seconds: float, printed: str) -> None:
    assert Duration.parse(text) == seconds
    assert str(Duration.parse(text)) == printed


@pytest.mark.parametrize(
    ("text", "count", "printed"),
    [
        ("16MiB", 16 << 20, "16MiB"),
        ("16m", 16 << 20, "16MiB"),
        ("512KiB", 512 << 10, "512KiB"),
        ("1000B", 1000, "1000B"),
        ("1.5GiB", 3 << 29, "1536MiB"),
    ],
)
def test_sizes(text: str, count: int, printed: str) -> None:
    assert Size.parse(text) == count
    assert str(Size.parse(text)) == printed


@pytest.mark.parametrize(
    ("text", "host", "port", "printed"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80, "127.0.0.1:80"),
        (":8080", "*", 8080, "*:8080"),
        ("localhost:80", "127.0.0.1", 80, "127.0.0.1:80"),
        ("[::1]:80", "::1", 80, "[::1]:80"),
    ],
)
def test_addresses(text: str, host: str, port: int, printed: str) -> None:
    assert Address.parse(text) == Address(host, port)
    assert str(Address.parse(text)) == printed


@pytest.mark.parametrize(
    "text",
    ["1.2.3.4", "8080", "[fe80::1%lo]:80", "host:80", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:x", "", "::1:٣"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="expected host:port"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = 1\n" + " . ".join(["a"] * 20_000) + " = 1", "portico.toml:2: not valid TOML: A key has more than 64"),
        ("[" + ".".join(['"a"'] * 100) + "]", "portico.toml:1: not valid TOML: A key has more than 64"),
        ("a = " + "[" * 20_000, "portico.toml:1: not valid TOML: It is nested too deeply"),
    ],
)  # fmt: skip
def test_text_that_tomllib_needs_gigabytes_for_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "portico.toml").write_text(text)
    with pytest.raises(UsageError, match=re.escape(words)):
        load(tmp_path / "portico.toml", {})


def test_many_addresses_in_a_line_are_no_long_key(tmp_path: Path) -> None:
    (tmp_path / "portico.toml").write_text(f"behind = {json.dumps(['10.0.0.0/8', 'fd00::/8'] * 200)}")
    assert len(load(tmp_path / "portico.toml", {})[0].behind) == 400
