"""Compares what stands in the code, and is not generated, with specification and registries."""
import http
import re

from .constants import RUST, TYPESCRIPT
from .files import ID, PREFIXES, ROOT, ids_in, problem, read, relative, sources
from .registries import number

# Definitions that are generated; a second one would be a second place for the same numbers.
ONCE = re.compile(r"\b(?:enum (?:FrameType|ErrorCode|CloseCode)|const (?:FrameType|ErrorCode|CloseCode|SIGNAL_CODES|RESERVED(?:_NAMES)?"
                  r"|REGISTRY|SETTINGS))\b[^=\n]*(?:=\s*(?:new Set\()?\s*[\[{\"&]|\{)")


def check(registries, found):
    check_citations(found)
    check_once()
    check_signal_codes(registries["signal-codes"])
    check_http_errors(registries)


def check_citations(found):
    unknown = {}
    loose = rf"(?:{'|'.join(PREFIXES)})-[0-9]{{1,3}}"
    for path in sources(".rs", ".ts", ".mjs", ".js", ".tsx"):
        for line, content in enumerate(read(path).splitlines(), 1):
            where = f"{relative(path)}:{line}"
            for short in re.findall(rf"\b{loose}\b", content):
                if not re.fullmatch(ID, short):
                    problem(where, f"cites {short}: ids have three digits; look the sentence up in spec/v1")
            for name in set(ids_in(content)) - set(found):
                unknown.setdefault(name, []).append(where)
    for name, places in sorted(unknown.items()):
        problem(places[0], f"cites {name}, which is not in the specification"
                + (f" (and {len(places) - 1} more)" if len(places) > 1 else ""))


def check_once():
    for path in sources(".rs", ".ts", below=["impl/session/src", "impl/identity/src", "impl/browser/src"]):
        if path in (RUST, TYPESCRIPT):
            continue
        for match in ONCE.finditer(read(path)):
            name = re.search(r"(?:enum|const) (\w+)", match.group()).group(1)
            place = TYPESCRIPT if path.suffix == ".ts" else RUST
            problem(relative(path), f"defines {name} by hand: use {relative(place)}, which is made from the registries")


def check_signal_codes(rows):
    """The enum of the proto has the numbers and names of the registry, and no others."""
    path = ROOT / "proto/p2claw/v1/signaling.proto"
    got = {name: int(value) for name, value in re.findall(r"\bSIGNAL_CODE_([A-Z_]+)\s*=\s*(\d+);", read(path))}
    wanted = {row["name"]: number(row["code"]) for row in rows}
    for name in sorted(set(got) | set(wanted)):
        if got.get(name) != wanted.get(name):
            problem(relative(path), f"SIGNAL_CODE_{name} is {got.get(name, 'missing')}, "
                    f"the registry says {wanted.get(name, 'nothing')}")


def check_http_errors(registries):
    """Names of `p2claw-error` are registered: in Rust all names in a file that writes the field, in TypeScript,
    where tabs and workers have codes of their own, those in the same line."""
    known = {row["name"] for name in ("http-errors", "signal-codes", "error-codes", "frame-types") for row in registries[name]}
    for path in sources(".rs", ".ts", below=["impl/agent/src", "impl/edge/src", "impl/visitor/src", "impl/browser/src"]):
        text = read(path)
        # Where a status stands beside its name; the others are compared by tests (agent, visitor).
        for status, name in re.findall(r"StatusCode::([A-Z_]+),\s*\"([A-Z_]+)\"", text):
            row = next((row for row in registries["http-errors"] if row["name"] == name), None)
            if row is None or getattr(http.HTTPStatus, status, None) != number(row["status"]):
                problem(relative(path), f"p2claw-error {name} with {status} is not in spec/registries/http-errors.csv")
        if path.suffix == ".ts":
            text = "\n".join(line for line in text.splitlines() if "p2claw-error" in line)
        if "p2claw-error" not in text or "tests" in path.parts:
            continue
        names = set(re.findall(r"[\"']([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)[\"']", text))
        for name in sorted(names - known):
            problem(relative(path), f"p2claw-error {name} is not in spec/registries/http-errors.csv")
