"""What a request line decides: httpd's variables, and the expressions of <If> and RewriteCond as far as they go."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from portico.explain.pcre import found
from portico.explain.verdict import Asked

_VARIABLE = re.compile(r"%\{([A-Za-z_]+)(?::([^}]*))?\}")
_HEADERS = {
    "HTTP_ACCEPT", "HTTP_COOKIE", "HTTP_FORWARDED", "HTTP_PROXY_CONNECTION", "HTTP_REFERER", "HTTP_USER_AGENT",
}  # fmt: skip


class Known(Struct, frozen=True):
    """The variables of a request; `backs` are the groups of the last condition, `\\1` and `%1`."""

    values: Mapping[str, str]
    backs: tuple[str, ...] = field(default=())
    state: str = ""
    """As in `Asked`."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The variables of the environment that are known: those that rules alone set."""

    @classmethod
    def of(cls, asked: Asked, uri: str) -> Known:
        """A request has the headers that the request line needs, and no others."""
        path, _, query = asked.target.partition("?")
        default = 443 if asked.scheme == "https" else 80
        host = asked.host if asked.port == default else f"{asked.host}:{asked.port}"
        return cls({
            "REQUEST_URI": uri, "DOCUMENT_URI": uri, "REQUEST_METHOD": asked.method, "QUERY_STRING": query,
            "HTTP_HOST": host, "SERVER_NAME": asked.host, "SERVER_PORT": str(asked.port),
            "HTTPS": "on" if asked.scheme == "https" else "off", "REQUEST_SCHEME": asked.scheme,
            "THE_REQUEST": f"{asked.method} {asked.target} HTTP/1.1", "SERVER_PROTOCOL": "HTTP/1.1",
            "IS_SUBREQ": "false", "PATH_AS_SENT": path,
        }, state=asked.state)  # fmt: skip

    def with_(self, **values: str) -> Known:
        return replace(self, values={**self.values, **values})

    def with_env(self, env: Mapping[str, str]) -> Known:
        return replace(self, env={**self.env, **env})

    def value(self, name: str, of: str | None = None) -> str | None:
        """A variable, `HTTP:Name` or `ENV:Name`; None if it is not known."""
        upper = name.upper()
        if of is not None and upper in ("ENV", "REQENV"):
            return self.env.get(of)
        if of is not None:
            header = upper in ("HTTP", "REQ", "REQ_NOVARY")
            return (self.values["HTTP_HOST"] if of.lower() == "host" else "") if header else None
        return "" if upper in _HEADERS else self.values.get(upper)

    def filled(self, text: str) -> str | None:
        """A text with its `%{VARIABLES}`; None if one of them is unknown."""
        parts, at = list[str](), 0
        for one in _VARIABLE.finditer(text):
            value = self.value(one[1], one[2])
            if value is None:
                return None
            parts += [text[at : one.start()], value]
            at = one.end()
        return "".join([*parts, text[at:]])


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")
      | (?P<regex>m(?P<mark>[\#$%^|?!,;:".-])(?P<body>.*?)(?P=mark)[ims]*|/(?:\\.|[^/\\])*/[ims]*)
      | (?P<op>&&|\|\||==|!=|<=|>=|=~|!~|[()!<>={},]|-[a-zA-Z]+(?![\w]))
      | (?P<word>(?:%\{[^}]*\}|[^\s()!<>={},'"&|~])+)
    )""",
    re.VERBOSE,
)
_NUMBERS = {"-eq": "==", "-ne": "!=", "-lt": "<", "-le": "<=", "-gt": ">", "-ge": ">="}


def holds(expression: str, known: Known) -> bool | None:
    """An expression of ap_expr for a request; None if that cannot be known."""
    try:
        return _Parser(expression, known).whole()
    except (LookupError, ValueError):
        return None


class _Parser:
    """Recursive descent over the tokens; an unknown part makes the whole unknown only where it matters."""

    def __init__(self, text: str, known: Known) -> None:
        self.known, self.tokens, at = known, list[tuple[str, str]](), 0
        text = text.strip()
        while at < len(text):
            one = _TOKEN.match(text, at)
            if one is None or one.end() == at:
                raise ValueError(text)
            kind = one.lastgroup if one.lastgroup not in ("mark", "body") else "regex"
            self.tokens.append((kind or "", one[kind or 0]))
            at = one.end()

    def whole(self) -> bool | None:
        answer = self._any()
        if self.tokens:
            raise ValueError("more follows")
        return answer

    def _any(self) -> bool | None:
        answer = self._all()
        while self._takes("||"):
            other = self._all()
            answer = True if answer or other else None if None in (answer, other) else False
        return answer

    def _all(self) -> bool | None:
        answer = self._not()
        while self._takes("&&"):
            other = self._not()
            answer = False if False in (answer, other) else None if None in (answer, other) else True
        return answer

    def _not(self) -> bool | None:
        if self._takes("!"):
            answer = self._not()
            return None if answer is None else not answer
        if self._takes("("):
            answer = self._any()
            if not self._takes(")"):
                raise ValueError("a parenthesis is open")
            return answer
        return self._one()

    def _one(self) -> bool | None:
        kind, text = self.tokens.pop(0)
        if kind == "op":
            return self._unary(text)
        if kind == "word" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        left = self._value(kind, text)
        if not self.tokens or self.tokens[0][0] != "op" or self.tokens[0][1] in ("&&", "||", ")"):
            raise ValueError(f"nothing is compared with {text}")
        op = self.tokens.pop(0)[1]
        if op == "-in":
            self._skip_list()
            return None
        kind, text = self.tokens.pop(0)
        if op in ("=~", "!~"):
            pattern, flags = _regex_of(text if kind == "regex" else self._text(kind, text) or "")
            answer = None if left is None else found(pattern, left, flags) is not None
            return answer if op == "=~" or answer is None else not answer
        return _compared(left, op, self._value(kind, text))

    def _unary(self, op: str) -> bool | None:
        if op not in ("-z", "-n", "-T"):
            self.tokens.pop(0)
            return None
        value = self._value(*self.tokens.pop(0))
        if value is None:
            return None
        if op == "-T":
            return value.lower() not in ("", "0", "off", "false", "no")
        return (value == "") == (op == "-z")

    def _skip_list(self) -> None:
        while self.tokens and self.tokens.pop(0)[1] != "}":
            pass

    def _value(self, kind: str, text: str) -> str | None:
        """A text, or a function of one: `reqenv('NAME')`."""
        if kind != "word" or not self._takes("("):
            return self._text(kind, text)
        name = self._text(*self.tokens.pop(0))
        if not self._takes(")"):
            raise ValueError("a parenthesis is open")
        return None if name is None else self.known.value(text, name)

    def _text(self, kind: str, text: str) -> str | None:
        inner = re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "string" else text
        return self.known.filled(inner)

    def _takes(self, op: str) -> bool:
        if self.tokens and self.tokens[0] == ("op", op):
            self.tokens.pop(0)
            return True
        return False


def _regex_of(text: str) -> tuple[str, int]:
    start = 2 if text.startswith("m") and not text.startswith("/") else 1
    end = text.rindex(text[start - 1])
    return text[start:end], re.I if "i" in text[end:] else 0


def _compared(left: str | None, op: str, right: str | None) -> bool | None:
    if left is None or right is None:
        return None
    if op in _NUMBERS:
        return _ordered(_number(left), _NUMBERS[op], _number(right))
    return _ordered(left, {"=": "=="}.get(op, op), right)


def _number(text: str) -> int:
    """As atoi reads it: 0 for a text without digits."""
    digits = re.match(r"\s*([+-]?\d+)", text)
    return int(digits[1]) if digits else 0


def _ordered(left: str | int, op: str, right: str | int) -> bool | None:
    equal = left == right
    less = (left < right) if isinstance(left, int) and isinstance(right, int) else str(left) < str(right)
    known = {
        "==": equal,
        "!=": not equal,
        "<": less,
        "<=": less or equal,
        ">": not (less or equal),
        ">=": not less,
    }
    return known.get(op)
