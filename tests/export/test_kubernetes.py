"""The objects for Kubernetes: their exact bytes, what Kubernetes, Kustomize and Helm say, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from msgspec.structs import replace

from portico.errors import UsageError
from portico.export.kubernetes.build import plain, tree
from portico.export.kubernetes.decide import cluster
from portico.export.kubernetes.dump import Helm, Plain, dump
from portico.export.kubernetes.model import Cluster
from portico.export.kubernetes.names import is_host, key, object_name
from portico.plan.build import plan
from portico.plan.decide import decided
from portico.reading import OURS
from portico.run.disk.write import write_files
from portico.site.access.rules import access_rules
from portico.site.facts import AppFacts, AppSettings, Risk, Secret
from portico.site.load import load
from portico.site.model import Site
from portico.site.routing import by_rank, rule
from tests.plan.test_golden import DEBIAN, FACTS, PLACE
from tests.support import RULE, golden, portico, private_directory
from tests.support import write_files as project

GOLDEN = Path(__file__).parent / "kubernetes"
CASES = sorted(GOLDEN.glob("*.txt"))
TOOLS = Path(sys.prefix) / "cluster-tools"
KUBECTL, HELM = TOOLS / "kubectl" / "kubectl", TOOLS / "helm" / "helm"
CORE = ("v1", "apps/v1", "batch/v1", "autoscaling/v2", "policy/v1", "networking.k8s.io/v1")
OTHERS = {
    "gateway.networking.k8s.io/v1": {"Gateway", "HTTPRoute"},
    "cert-manager.io/v1": {"Issuer", "Certificate"},
    "monitoring.coreos.com/v1": {"PodMonitor"},
}
"""Kinds of other projects, which `test_custom_resources` asks about."""


def made(text: str, directory: Path) -> Cluster:
    """A case is a portico.toml; [test] has what the app says, and the image."""
    toml, _, tested = text.partition("[test]")
    (directory / "portico.toml").write_text(toml)
    options, causes = load(directory / "portico.toml", {})
    said: dict[str, Any] = tomllib.loads(tested)
    facts = replace(
        FACTS,
        static=[],
        one_process=said.get("one_process", ""),
        remedy=said.get("remedy", ""),
        risks=[Risk(kind, what, "hint", what) for kind, what in said.get("risks", ())],
    )
    rules = tuple(rule(n, one, f"portico.toml: route {n}") for n, one in enumerate(options.route, 1))
    name = options.name or "shop"
    site = Site(options, facts, "/srv/shop", name, causes, rules=by_rank(rules))
    site = replace(
        site,
        password_file=site.path(options.dashboard.password_file),
        access=access_rules(options, (), facts, directory, causes, OURS, []),
    )
    place = replace(PLACE, gateway=DEBIAN)
    answers = [_answer(said.get("databases", {}), name) for name in said.get("keys", [""])]
    image, memory = said.get("image", "shop"), said.get("memory", 0)
    return cluster(site, decided(site, place), plan(site, place), (), image, memory, answers)


def _answer(databases: dict[str, str], digest: str) -> AppFacts:
    secret = Secret("SECRET_KEY", 32, "good", digest)
    return replace(FACTS, settings=AppSettings(databases=databases), secrets=[secret])


def case(path: Path) -> str:
    return path.read_text().partition(RULE)[0]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden_kubernetes(path: Path, tmp_path: Path) -> None:
    found = made(case(path), tmp_path)
    files = tree(found) if path.stem == "whole" else [plain(found)]
    golden(path, "".join(f"== {one.path}\n{one.content}" for one in files))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_kubernetes_accepts_every_object_and_knows_every_field(path: Path, tmp_path: Path) -> None:
    for one in yaml.safe_load_all(plain(made(case(path), tmp_path)).content):
        _accepted(one)


def _accepted(one: dict[str, Any]) -> None:
    if one["apiVersion"] in CORE:
        kubernetes_validate.validate(one, "1.35", strict=True)
    else:
        assert one["kind"] in OTHERS[one["apiVersion"]]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_site_in_a_pod_accepts_its_command(path: Path, tmp_path: Path) -> None:
    """Its own portico.toml with the flags of the pod: no option contradicts another."""
    found = made(case(path), tmp_path)
    objects = by_name(plain(found).content)
    words = objects["Deployment", found.name]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert words[:2] == ["portico", "run"]
    flags: dict[str, Any] = {}
    for word in words[2:]:
        name, _, value = word.removeprefix("--").partition("=")
        flags.setdefault({"domain": "domains"}.get(name, name), []).append(value)
    many = ("domains", "behind", "behind-headers")
    options, _ = load(
        tmp_path / "portico.toml", {name: one if name in many else one[0] for name, one in flags.items()}
    )
    site = Site(options, replace(FACTS, static=[]), "/srv/shop", "shop", {})
    assert not site.has_https
    assert site.believed == {"scheme"}
    assert str(site.listen) == "*:8080"


def by_name(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    objects = [one for one in yaml.safe_load_all(text) if one]
    named = {(one["kind"], one["metadata"]["name"]): one for one in objects}
    assert len(named) == len(objects)
    return named


def asked(program: Path, *words: str | Path) -> str:
    if not program.exists():
        pytest.skip(f"needs {program.name}: scripts/cluster-tools")
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_kustomize_and_helm_make_the_same_objects(path: Path, tmp_path: Path) -> None:
    found = made(case(path), tmp_path)
    write_files(tree(found), tmp_path)
    expected = by_name(plain(found).content)
    overlays = tmp_path / "kustomize" / "overlays"
    assert by_name(asked(KUBECTL, "kustomize", overlays / "production")) == expected
    chart = tmp_path / "chart"
    asked(HELM, "lint", "--strict", chart)
    assert by_name(asked(HELM, "template", found.name, chart)) == expected

    staged = by_name(asked(KUBECTL, "kustomize", overlays / "staging"))
    assert staged.keys() == expected.keys()
    assert {one["metadata"]["namespace"] for one in staged.values()} == {f"{found.name}-staging"}
    for one in staged.values():
        _accepted(one)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_kubectl_reads_every_object_in_a_dry_run_without_a_server(path: Path, tmp_path: Path) -> None:
    found = plain(made(case(path), tmp_path)).content
    (tmp_path / "site.yaml").write_text(found)
    words = ("label", "--local", "--dry-run=client", "-o", "yaml", "-f", str(tmp_path / "site.yaml"))
    printed = asked(KUBECTL, *words, "seen=yes")
    said = by_name(printed.replace("\napiVersion:", "\n---\napiVersion:"))
    for one in said.values():
        assert one["metadata"]["labels"].pop("seen") == "yes"
    assert said == by_name(found)


def test_an_ingress_and_the_queue_come_instead_and_besides(tmp_path: Path) -> None:
    found = made(case(GOLDEN / "whole.txt"), tmp_path)
    write_files(tree(found), tmp_path)
    production = tmp_path / "kustomize" / "overlays" / "production" / "kustomization.yaml"
    text = production.read_text().replace("# components:", "components:").replace("#   -", "  -")
    production.write_text(text)
    kustomized = by_name(asked(KUBECTL, "kustomize", production.parent))
    values = ["--set", "ingressClass=nginx,queueMetric=portico_queue_seconds"]
    assert kustomized == by_name(asked(HELM, "template", found.name, tmp_path / "chart", *values))
    kinds = {kind for kind, _ in kustomized}
    assert "Ingress" in kinds
    assert not kinds & {"Gateway", "HTTPRoute"}
    metrics = kustomized["HorizontalPodAutoscaler", found.name]["spec"]["metrics"]
    assert [one["type"] for one in metrics] == ["Resource", "Pods"]
    for one in kustomized.values():
        _accepted(one)


def test_two_releases_of_one_chart_do_not_meet(tmp_path: Path) -> None:
    found = made(case(GOLDEN / "whole.txt"), tmp_path)
    write_files(tree(found), tmp_path)
    names = {name for _, name in by_name(asked(HELM, "template", "other", tmp_path / "chart"))}
    assert names == {"other", "other-redirect"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "".join(f'[[route]]\npath = "/{n}"\nto = "api"\n' for n in range(16)),
            "an HTTPRoute has at most 16",
        ),
        ('node = ["10.0.0.1"]', "the kubelet's probes are among them"),
        (
            'domains = ["a.example"]\n[https]\nmode = "local"\nclient_ca = "ca.pem"',
            "let everybody in without a certificate",
        ),
        (
            'domains = ["a.example"]\n[https]\nlisten = ":8443"\nmode = "local"',
            "listens for HTTPS, not the pod",
        ),
        ('[[route]]\npath = "/a"\nto = "api"\nshare = "10%"', "it draws each request anew"),
        ('[[route]]\npath = "/a"\nto = "api"\ncookie = {a = "1", b = "2"}', "two conditions on one header"),
        ('[[route]]\npath = "/a"\nto = "api"\nmethod = ["PURGE"]', "the method PURGE"),
    ],
)
def test_what_would_be_open_or_lost_in_a_pod_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        made(text, tmp_path)


@pytest.mark.parametrize(
    "also", ["", 'behind_protocol = "proxy"\nbehind = ["10.0.0.1"]\n[https]\nmode = "local"\n']
)
def test_a_site_that_others_route_to_has_no_public_way_in(also: str, tmp_path: Path) -> None:
    found = made(f'name = "api"\nrouted_by = ["My_Shop"]\nmount = "/api"\n{also}', tmp_path)
    words = [one for one in found.words if one.startswith(("--routed", "--https", "--behind-protocol"))]
    assert words[0] == "--routed-by="
    assert ("--https=off" in words) == ("--behind-protocol=http" in words) == bool(also)
    files = tree(found)
    public = {"Gateway", "HTTPRoute", "Ingress", "Issuer", "Certificate"}
    for one in files:
        kinds = {
            line.removeprefix("kind: ") for line in one.content.splitlines() if line.startswith("kind: ")
        }
        assert not kinds & public, one.path
    policy = by_name(plain(found).content)["NetworkPolicy", "api"]
    pods = policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchExpressions"]
    assert pods == [
        {"key": "gateway.networking.k8s.io/gateway-name", "operator": "In", "values": ["my-shop"]}
    ]


def test_pods_reach_the_metadata_of_no_cloud(tmp_path: Path) -> None:
    policy = by_name(plain(made("", tmp_path)).content)["NetworkPolicy", "shop"]
    blocks = [one["ipBlock"] for one in policy["spec"]["egress"][0]["to"] if "ipBlock" in one]
    left_out = {ip_network(one) for block in blocks for one in block["except"]}
    for address in ("169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "100.100.100.200",
                    "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"):  # fmt: skip
        assert ip_network(address) in left_out, address


def test_a_dollar_in_the_command_begins_no_variable_of_the_kubelet(tmp_path: Path) -> None:
    found = replace(made("", tmp_path), words=("--limits-key=$(HOME)$$x",))
    args = by_name(plain(found).content)["Deployment", "shop"]["spec"]["template"]["spec"]["containers"][0][
        "args"
    ]
    assert "--limits-key=$$(HOME)$$$x" in args


@pytest.mark.parametrize(
    ("name", "expected"),
    [("shop", "shop"), ("My_Shop", "my-shop"), ("42", "site-42"), ("a" * 60, "a" * 40), ("-.-", "site")],
)
def test_every_name_of_a_site_is_one_that_a_service_may_have(name: str, expected: str) -> None:
    assert object_name(name) == expected


def test_names_of_hosts_and_keys() -> None:
    assert [is_host(one) for one in ("a.example", "*.a.example", "10.0.0.1", "[::1]", "a.example:8080")] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert key("/srv/shop/all [staff]") == "all--staff-"


HOSTILE = [
    "yes",
    "0o14",
    "{{ .Values.x }}",
    "a: b",
    "- a",
    "\x85\u2028\x7f",
    '"',
    "\\",
    "",
    "~",
    "*a",
    "!b",
    "=",
    "😀",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_the_site_stays_text(text: str, tmp_path: Path) -> None:
    read = {"text": text, "list": [text]}
    assert yaml.safe_load("\n".join(dump(read, Plain("shop")))) == read
    lines = [
        "apiVersion: v1",
        "kind: ConfigMap",
        "metadata: {name: a}",
        *dump({"data": {"text": text}}, Helm()),
    ]
    project(tmp_path, {
        "Chart.yaml": "{apiVersion: v2, name: a, version: 0.1.0}", "values.yaml": "{}",
        "templates/a.yaml": "\n".join(lines),
    })  # fmt: skip
    assert yaml.safe_load(asked(HELM, "template", "a", tmp_path))["data"]["text"] == text


def test_the_command_prints_plain_yaml_or_writes_all_and_overwrites_nothing() -> None:
    with private_directory() as home:
        project(home, {
            "shop.py": "import os\nfrom flask import Flask\napp = Flask(__name__)\napp.secret_key = os.urandom(32)\n",
            "portico.toml": 'app = "shop:app"\ndomains = ["shop.example"]\n',
        })  # fmt: skip
        done = portico("export", "kubernetes", "--image=registry.example/shop:7", cwd=home)
        assert done.returncode == 0, done.stderr
        objects = by_name(done.stdout)
        assert "a new secret key each time it starts" in done.stderr
        (deployment,) = (one for (kind, _), one in objects.items() if kind == "Deployment")
        assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/shop:7"
        assert "PORT" not in os.environ
        assert portico("export", "kubernetes", "--write=out", cwd=home).returncode == 0
        assert len(list((home / "out").rglob("*.yaml"))) == 30
        again = portico("export", "kubernetes", "--write=out", cwd=home)
        assert again.returncode == 1
        assert "is there already" in again.stderr
