"""The Job of [release] before in a cluster: who reaches it, how often it runs, and what its command becomes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from portico.errors import UsageError
from portico.export.before import before, refuse_passwords
from portico.export.compose.replicas import compose
from portico.export.kubernetes.build import plain, tree
from portico.plan.build import plan
from portico.run.disk.write import write_files
from portico.site.load import load
from portico.site.model import Site
from tests.export.test_kubernetes import GOLDEN, HELM, KUBECTL, asked, by_name, case, made
from tests.plan.test_golden import FACTS, PLACE
from tests.support import portico, private_directory
from tests.support import write_files as project

COMMAND = """sh -c 'echo "$(HOME) $HOME $$(HOME) $$$(HOME) $$ $ {{ .Values.x }} {% y %} \\\\ é"'"""


def objects(text: str, directory: Path) -> dict[str, dict[str, Any]]:
    """Those that a release begins with, by their kinds."""
    found = by_name(plain(made(text, directory)).content).values()
    step = {"app.kubernetes.io/component": "release"}.items()
    return {one["kind"]: one for one in found if step <= one["metadata"]["labels"].items()}


def test_its_pod_is_reached_by_nobody_and_runs_once(tmp_path: Path) -> None:
    text = case(GOLDEN / "release.txt").replace("[test]", 'metrics = "127.0.0.1:9145"\n[test]')
    found = by_name(plain(made(text, tmp_path)).content)
    job = objects(text, tmp_path)["Job"]
    pod = job["spec"]["template"]
    labels = pod["metadata"]["labels"].items()
    selectors = {
        (kind, name): one["spec"].get("podSelector", one["spec"].get("selector"))
        for (kind, name), one in found.items()
        if kind in ("Service", "NetworkPolicy", "PodDisruptionBudget", "PodMonitor", "Deployment")
    }
    assert len(selectors) == 6
    chosen = {named: one.get("matchLabels", one).items() <= labels for named, one in selectors.items() if one}
    policy = "NetworkPolicy", "my-shop-release"
    assert [named for named, is_chosen in chosen.items() if is_chosen] == [policy]
    assert found[policy]["spec"]["ingress"] == []
    of_pods = found["NetworkPolicy", "my-shop"]["spec"]["egress"]
    assert found[policy]["spec"]["egress"] == of_pods
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert (job["spec"]["backoffLimit"], pod["spec"]["restartPolicy"]) == (0, "Never")
    serving = found["Deployment", "my-shop"]["spec"]["template"]["spec"]
    for name in ("securityContext", "volumes"):
        assert pod["spec"][name] == serving[name]
    for name in ("image", "securityContext", "volumeMounts", "resources"):
        assert pod["spec"]["containers"][0][name] == serving["containers"][0][name]
    assert "--release=" in serving["containers"][0]["args"]


def test_no_part_of_the_command_means_something_to_yaml_helm_or_the_kubelet(tmp_path: Path) -> None:
    text = f"release = '''{COMMAND}'''\n[test]\nimage = 'shop:1'"
    written = made(text, tmp_path)
    write_files(tree(written), tmp_path)
    expected = ["portico", "exec", *shlex.split(COMMAND)]
    kustomized = asked(KUBECTL, "kustomize", tmp_path / "kustomize/overlays/production")
    for one in (plain(written).content, kustomized, asked(HELM, "template", "shop", tmp_path / "chart")):
        (container,) = by_name(one)["Job", "shop-release-1"]["spec"]["template"]["spec"]["containers"]
        assert [by_kubelet(word) for word in container["args"]] == expected


def by_kubelet(word: str) -> str:
    """What a container gets: $$ is $, and $(NAME) a variable."""
    return re.sub(r"\$(\$|\([^)]*\))", lambda found: "$" if found[1] == "$" else "replaced", word)


def test_an_overlay_with_another_tag_has_another_job_with_the_same_variables(tmp_path: Path) -> None:
    written = made(case(GOLDEN / "release.txt"), tmp_path)
    write_files(tree(written), tmp_path)
    overlay = tmp_path / "kustomize/overlays/production/kustomization.yaml"
    overlay.write_text(
        overlay.read_text().replace("v1.2-rc1", "v2.0-rc-4")
        + "patches:\n- patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: my-shop}, data: {MODE: new}}'\n"
    )
    found = by_name(asked(KUBECTL, "kustomize", overlay.parent))
    (container,) = found["Job", "my-shop-release-v2.0-rc-4"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example:5000/team/shop:v2.0-rc-4"
    data = {name: one["data"] for (kind, name), one in found.items() if kind == "ConfigMap"}
    assert data["my-shop-release"] == data["my-shop"] == {"MODE": "new", "TZ": "UTC"}


def test_helm_makes_all_of_it_before_anything_else_and_in_this_order(tmp_path: Path) -> None:
    write_files(tree(made("release = 'flask db upgrade'", tmp_path)), tmp_path)
    found = yaml.safe_load_all(asked(HELM, "template", "shop", tmp_path / "chart"))
    hooks = [
        (int(notes["helm.sh/hook-weight"]), one["kind"])
        for one in found
        if "helm.sh/hook" in (notes := one["metadata"].get("annotations", {}))
    ]
    assert sorted(hooks) == [(-1, "ConfigMap"), (-1, "NetworkPolicy"), (0, "Job")]


@pytest.mark.parametrize("tag", ["RC_1", f"sha256:{'a' * 64}", "a" * 60, "1-", ""])
def test_a_tag_that_cannot_end_a_name_is_refused(tag: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="would be called shop-release-"):
        made(f"release = 'true'\n[test]\nimage = 'shop:{tag}'", tmp_path)
    made(f"[test]\nimage = 'shop:{tag}'", tmp_path)


def exported_command(text: str, flags: dict[str, Any], directory: Path) -> tuple[Site, tuple[str, ...]]:
    (directory / "portico.toml").write_text(text)
    options, causes = load(directory / "portico.toml", flags)
    return Site(options, replace(FACTS, static=[]), "/srv/shop", "shop", causes), ("--config", "other.toml")


@pytest.mark.parametrize(
    ("command", "flags", "said"),
    [
        ("psql postgres://me:secret@db/shop -f a.sql", {}, "its password would stand in what is exported"),
        ("flask db upgrade", {"env-file": ["a.env"]}, "would not have these variables"),
    ],
)
def test_a_command_that_shows_a_secret_or_lacks_its_variables_is_refused(
    command: str, flags: dict[str, Any], said: str, tmp_path: Path
) -> None:
    (tmp_path / "a.env").write_text("")
    site, words = exported_command(f"app = 'shop:app'\nrelease = '{command}'", flags, tmp_path)
    with pytest.raises(UsageError, match=said) as caught:
        before(site, plan(site, PLACE), words)
    assert "secret@" not in str(caught.value)
    with pytest.raises(UsageError, match=said):
        compose(site, plan(site, PLACE), words, 2)


@pytest.mark.parametrize(
    "command", ["psql -f a.sql", 'sh -c "psql postgres://me:$PW@db"', "curl http://a:80/@"]
)
def test_its_own_file_and_a_variable_for_the_password_stay(command: str, tmp_path: Path) -> None:
    site, words = exported_command(f"app = 'shop:app'\nrelease = '''{command}'''", {}, tmp_path)
    found = before(site, plan(site, PLACE), words)
    assert found
    assert found.words == ("portico", "exec", *words, *shlex.split(command))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[release]\nbefore = 'CMD'", "[release] before"),
        ("[release]\nafter = 'CMD'", "[release] after"),
        ("[processes]\nwork = 'CMD'", "[processes] work"),
    ],
)
def test_an_image_shows_no_password_of_a_command_and_the_plan_says_who_sees_it(
    text: str, where: str, tmp_path: Path
) -> None:
    shown = f"app = 'shop:app'\n{text.replace('CMD', 'psql postgres://me:secret@db/shop')}"
    site, _ = exported_command(shown, {}, tmp_path)
    with pytest.raises(UsageError, match="its password would stand in what is exported") as caught:
        refuse_passwords(site, plan(site, PLACE))
    assert "secret" not in str(caught.value)
    (note,) = [one for one in plan(site, PLACE).notes if "password in its URL" in one]
    assert note.startswith(f"{where}: ")
    assert "secret" not in note

    hidden = text.replace("CMD", 'sh -c "psql $DATABASE_URL"')
    site, _ = exported_command(f"app = 'shop:app'\n{hidden}", {}, tmp_path)
    refuse_passwords(site, plan(site, PLACE))
    assert not [one for one in plan(site, PLACE).notes if "password in its URL" in one]


def test_no_dockerfile_is_written_for_a_command_that_shows_a_password() -> None:
    with private_directory() as home:
        project(home, {"shop.py": "from flask import Flask\napp = Flask(__name__)\n",
                       "requirements.txt": "flask\n",
                       "portico.toml": "[processes]\nwork = 'rq worker --url redis://:secret@queue/0'\n"})  # fmt: skip
        done = portico("export", "docker", "shop:app", cwd=home)
        assert done.returncode == 2, done.stdout
        assert "its password would stand in what is exported" in done.stderr
        assert "secret" not in done.stdout + done.stderr
        assert not (home / "Dockerfile").exists()


def test_a_command_given_as_a_flag_is_run_by_the_job_and_by_no_pod() -> None:
    with private_directory() as home:
        project(home, {"shop.py": "from flask import Flask\napp = Flask(__name__)\n"})
        done = portico(
            "export", "kubernetes", "shop:app", "--image=shop:7", "--release=flask db upgrade", cwd=home
        )
        assert done.returncode == 0, done.stderr
        found = {kind: one["spec"]["template"]["spec"]["containers"][0] for (kind, _), one in
                 by_name(done.stdout).items() if kind in ("Job", "Deployment")}  # fmt: skip
        assert found["Job"]["args"] == ["portico", "exec", "flask", "db", "upgrade"]
        assert found["Job"]["env"] == [{"name": "FLASK_APP", "value": "shop:app"}]
        assert [one for one in found["Deployment"]["args"] if one.startswith("--release")] == ["--release="]
