"""The house keeps its direction: rooms import only from the left, and the pure part touches no world."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from portico.explain.languages import LANGUAGES
from portico.log.errors.kinds import ERROR_LOGS
from portico.place.gateway.finders import FINDERS
from portico.plan.gateway.kinds import GATEWAYS
from portico.run.gateway.programs import PROGRAMS
from portico.site.own.tables import TABLES

SOURCE = Path(__file__).parents[1] / "src" / "portico"
ORDER = [
    {"errors", "values", "edge", "ticks", "backoff", "reading", "proxy_headers"}
    | {"decoding", "http", "atomic", "app_servers"},
    {"protocol"},
    {"site", "place", "lessons"},
    {"plan"},
    {"explain"},
    {"link"},
    {"log"},
    {"run", "watch", "export"},
    {"project"},
    {"check", "measure"},
    {"learn"},
    {"cli"},
]
"""Rooms of one set do not import one another."""
DOORS = {"__init__", "__main__"}
"""They import what they open."""
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
PURE = (
    "proxy_headers.py",
    "http.py",
    "site/options/",
    "site/facts.py",
    "site/model.py",
    "site/checks/",
    "site/keys.py",
    "site/variables.py",
    "site/own/model.py",
    "site/own/nginx/syntax.py",
    "app_servers/",
    "place/model.py",
    "place/preset.py",
    "plan/",
    "log/request.py",
    "log/app_output.py",
    "log/errors/complaint.py",
    "log/errors/kind.py",
    "log/errors/kinds.py",
    "log/errors/nginx.py",
    "log/errors/limit.py",
    "log/count.py",
    "export/",
    "explain/adopted.py",
    "explain/node.py",
    "explain/nginx/sandbox.py",
    "explain/sandbox.py",
    "explain/nginx/adopt/",
    "explain/nginx/written.py",
    "explain/verdict.py",
    "explain/change.py",
    "explain/pcre.py",
    "explain/nginx/change.py",
    "explain/nginx/conditions.py",
    "explain/nginx/effect.py",
    "explain/nginx/locations.py",
    "explain/nginx/match.py",
    "explain/nginx/paths.py",
    "explain/nginx/servers.py",
    "explain/nginx/words/",
    "explain/httpd/adopt/",
    "explain/httpd/blocks.py",
    "explain/httpd/change.py",
    "explain/httpd/conditions.py",
    "explain/httpd/effect.py",
    "explain/httpd/findings.py",
    "explain/httpd/known.py",
    "explain/httpd/match.py",
    "explain/httpd/names.py",
    "explain/httpd/paths.py",
    "explain/httpd/rewrite.py",
    "explain/httpd/sections.py",
    "explain/httpd/servers.py",
    "explain/httpd/sources.py",
    "explain/httpd/syntax.py",
    "explain/httpd/translate.py",
    "explain/httpd/words/",
    "run/machine",
    "protocol/",
    "lessons/",
    "run/watchers/failures.py",
    "backoff.py",
    "measure/model.py",
    "measure/routes.py",
    "measure/statistics.py",
    "measure/verdict.py",
    "measure/tune/model.py",
    "measure/tune/outcome.py",
    "measure/tune/rules.py",
    "project/alone.py",
)
WORLD = {
    "os", "io", "sys", "socket", "subprocess", "pathlib", "shutil", "tempfile", "asyncio", "threading",
    "time", "signal",
    "select", "psutil", "click", "httpx", "urllib", "http", "random", "logging", "multiprocessing",
}  # fmt: skip


@cache
def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path) -> set[str]:
    """Every name that the file imports, also inside functions."""
    return _imports(path)[0]


@cache
def _imports(path: Path) -> tuple[set[str], set[str]]:
    """The names that the file imports, and those of them that it imports when it is loaded."""
    tree = parsed(path)
    return set(names_imported(tree)), set(names_imported(tree, inside_functions=False))


def names_imported(tree: ast.AST, *, inside_functions: bool = True) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            continue  # no expression imports
        if not inside_functions and (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        ):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from names_imported(node, inside_functions=inside_functions)


def room(name: str) -> str:
    return name.removeprefix("portico.").partition(".")[0]


def module(path: Path) -> str:
    dotted = ".".join(("portico", *path.relative_to(SOURCE).with_suffix("").parts))
    return dotted.removesuffix(".__init__")


def wrong_imports(own: str, names: Iterable[str]) -> list[str]:
    """The imports that the room `own` may not have."""
    rank = RANK[own]
    others = [
        name
        for name in names
        if name.startswith("portico.") and room(name) not in (own, "__version__", "DISTRIBUTION")
    ]
    return [name for name in others if room(name) in DOORS or RANK.get(room(name), rank) >= rank]


def test_every_room_has_a_rank_and_every_rank_its_room() -> None:
    rooms = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in modules()}
    assert rooms - DOORS == RANK.keys()


@pytest.mark.parametrize("own", sorted(RANK))
def test_imports_point_left(own: str) -> None:
    for path in modules():
        if path.relative_to(SOURCE).parts[0].removesuffix(".py") == own:
            wrong = wrong_imports(own, imported(path))
            assert not wrong, f"{path.relative_to(SOURCE)} imports {wrong}"


def test_the_rule_itself_sees_a_wrong_import() -> None:
    assert wrong_imports("plan", ["portico.cli.commands.run.run", "portico.site.model", "subprocess"]) == [
        "portico.cli.commands.run.run"
    ]
    assert wrong_imports("plan", ["portico.of_no_rank"]) == ["portico.of_no_rank"]
    assert wrong_imports("run", ["portico.watch.live"]) == ["portico.watch.live"]


def test_no_modules_import_one_another_in_a_circle() -> None:
    """What is imported when a module is loaded; what only types need is not."""
    own = {module(path): _imports(path)[1] for path in modules()}
    graph = {
        name: {
            other
            for other in own.keys() & names
            if not f"{name}.".startswith(f"{other}.")  # the package that it is part of
        }
        for name, names in own.items()
    }
    list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_the_rooms_of_run_import_one_another_in_no_circle() -> None:
    """Also what only types need: whoever wants a part of another room says so in a protocol of its own."""
    graph: dict[str, set[str]] = {}
    for path in (SOURCE / "run").rglob("*.py"):
        own = room_of_run(module(path))
        graph.setdefault(own, set()).update(
            room_of_run(name) for name in imported(path) if name.startswith("portico.run.")
        )
        graph[own].discard(own)
    list(TopologicalSorter(graph).static_order())


def room_of_run(name: str) -> str:
    return name.removeprefix("portico.run").lstrip(".").partition(".")[0]


MOST_FILES = 25


def test_no_room_has_more_files_than_a_reader_can_look_through() -> None:
    files = Counter(str(path.parent.relative_to(SOURCE)) for path in modules())
    assert {name: count for name, count in files.items() if count > MOST_FILES} == {}


def test_the_pure_part_touches_no_world() -> None:
    for path in modules():
        name = str(path.relative_to(SOURCE))
        if name.startswith(PURE):
            touched = {dotted.partition(".")[0] for dotted in imported(path)} & WORLD
            assert not touched, f"{name} imports {touched}"


def test_what_is_called_pure_is_there() -> None:
    names = [str(path.relative_to(SOURCE)) for path in modules()]
    assert [pure for pure in PURE if not any(name.startswith(pure) for name in names)] == []


def test_only_output_prints() -> None:
    for path in modules():
        if path.name == "output.py" or "print" not in path.read_text():
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path.relative_to(SOURCE)}:{node.lineno} prints"


def test_values_are_structs() -> None:
    """Each dataclass compiles its methods at import: 1.3 ms of every command. An app's processes have no msgspec."""
    in_both = {SOURCE / "errors.py", SOURCE / "site" / "limit.py"}
    others = [
        path for path in modules() if path.relative_to(SOURCE).parts[0] != "link" and path not in in_both
    ]
    assert [path.name for path in others if "@dataclass" in path.read_text()] == []


LINK_NEEDS = """
import sys

LENT = {"portico", "gunicorn", "packaging", "websockets"}


class Others:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in LENT and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Others())
before = set(sys.modules)
for name in sys.argv[1:]:
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in {"django", "flask", "pyramid", "pyuwsgi", "starlette", "uwsgi"}:
            raise
print(sorted({name.partition(".")[0] for name in sys.modules.keys() - before} - LENT - set(sys.stdlib_module_names)))
"""
"""Imports modules as an interpreter that has nothing but what Portico lends it."""


def test_an_app_s_process_needs_nothing_that_only_portico_has() -> None:
    names = [module(path) for path in modules() if path.is_relative_to(SOURCE / "link")]
    done = subprocess.run(
        [sys.executable, "-P", "-c", LINK_NEEDS, *names, "portico.edge"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.stdout) == ("", "[]\n")


def test_nobody_changes_the_umask() -> None:
    """It is the whole process's: a program that another thread starts meanwhile would inherit it."""
    assert [path.name for path in modules() if "os.umask(" in path.read_text()] == []


LOOKS = r"\bweb\.(?:site\b|place\.(?!gateway))"


def test_decisions_are_made_before_they_are_written_for_nginx() -> None:
    """The renderer reads what Web says, and neither Site nor Place but for paths and the build of nginx."""
    for path in (SOURCE / "plan" / "gateway" / "nginx").rglob("*.py"):
        assert not re.findall(LOOKS, path.read_text()), f"{path.name} looks at Site or Place"


KNOW_A_GATEWAY = {
    "place/gateway/finders.py",  # the tuple of those that are looked for
    "site/own/tables.py",  # that of the tables of portico.toml
    "plan/gateway/kinds.py",  # the tuple of gateways
    "run/gateway/programs.py",  # the tuple of those that can be run
    "log/errors/kinds.py",  # that of the error logs
    "explain/languages.py",  # that of those whose files are read
    "measure/tutorial.py",  # what tutorials write for nginx, which is measured
}
GATEWAY_ROOMS = (
    "place/gateway/nginx",
    "site/own/nginx/",
    "plan/gateway/nginx/",
    "run/gateway/nginx/",
    "explain/nginx/",
    "log/errors/nginx",
    "place/gateway/httpd",
    "site/own/httpd/",
    "plan/gateway/httpd/",
    "run/gateway/httpd/",
    "explain/httpd/",
    "log/errors/httpd",
)


def test_a_gateway_is_known_in_its_rooms_and_in_one_tuple_each() -> None:
    """Everybody else asks its kind (`plan/gateway/kind`) or its program (`run/gateway/program`): a second gateway is
    two rooms and two rows."""
    theirs = tuple(f"portico.{room}".rstrip("/").replace("/", ".") for room in GATEWAY_ROOMS)
    knows = {
        str(path.relative_to(SOURCE))
        for path in modules()
        if any(name.startswith(theirs) for name in imported(path))
    }
    others = {name for name in knows if not name.startswith(GATEWAY_ROOMS)}
    assert {name for name in others if not name.startswith(tuple(KNOW_A_GATEWAY))} == set()
    assert {known for known in KNOW_A_GATEWAY if not any(name.startswith(known) for name in others)} == set()


def test_every_gateway_has_a_row_in_each_tuple() -> None:
    names = [one.name for one in GATEWAYS]
    assert names == [one.program for one in FINDERS] == [one.program for one in TABLES]
    assert names == [one.name for one in PROGRAMS] == [one.name for one in LANGUAGES]
    assert names == [one.program for one in ERROR_LOGS]


def test_what_is_decided_names_no_gateway() -> None:
    for path in (SOURCE / "plan" / "web").rglob("*.py"):
        wrong = [name for name in imported(path) if name.startswith("portico.plan.gateway")]
        assert not wrong, f"{path.name} imports {wrong}"


ASKS_THE_PROGRAM = (
    r"\.is_asgi\b|\bworkers\.server\b|\bserver\.name [!=]= .(?:gunicorn|uwsgi)"
    r"|\bis (?:not )?(?:GUNICORN\w*|UWSGI)\b|\b(?:GUNICORN\w*|UWSGI)\.name\b"
)


def test_what_an_app_server_can_do_is_asked_by_its_features() -> None:
    """Not by the name of a program: `plan/app_servers` knows which there are, and `site/` what may be written. What
    `portico export` makes to run without Portico is written for uWSGI.
    """
    found = {
        str(path.relative_to(SOURCE)) for path in modules() if re.search(ASKS_THE_PROGRAM, path.read_text())
    }
    assert found == {
        "export/eject.py", "plan/app_servers/build.py", "plan/app_servers/chosen.py", "plan/app_servers/kinds.py",
        "plan/app_servers/uwsgi.py", "site/checks/behind.py",
    }  # fmt: skip


STARTS = r"Popen|create_subprocess_"


def test_tests_start_programs_in_one_place() -> None:
    """`tests.support.process` leaves none of them behind; `tests.support.commands` runs Portico's own commands."""
    tests = Path(__file__).parent
    found = [
        f"{path.relative_to(tests)}:{node.lineno}"
        for path in tests.rglob("*.py")
        if not path.is_relative_to(tests / "support") and re.search(STARTS, path.read_text())
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("Popen", "create_subprocess_exec", "create_subprocess_shell"))
    ]
    assert not found, "start them with tests.support.process"


def test_no_two_test_files_have_one_name() -> None:
    """pytest takes the second for the first."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_marks_are_not_in_the_app_of_a_test() -> None:
    """There they mark nothing, and the app does not start."""
    found = [
        path.name
        for path in Path(__file__).parent.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and re.search("^pytestmark =", str(node.value), re.MULTILINE)
    ]
    assert not found
