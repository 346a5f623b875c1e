"""Compares what stands in the code, and is not generated, with specification and registries."""
import re

from .constants import RUST, RUST_FILES, RUST_LIMITS, RUST_SIGNALING, TYPESCRIPT, limit_name
from .files import ID, PREFIXES, ROOT, ids_in, problem, read, relative, sources
from .limits import ids_of, milliseconds, named
from .registries import number

# A constant of a plain number or time, as rustfmt and the browser client write them.
CONSTANT = re.compile(r"^\s*(?:pub(?:\([a-z]+\))? |export )?const (\w+)\b[^=\n]*= ([^;\n]+);", re.M)
PLAIN = re.compile(r"[0-9_]+(?: (?:\*|<<|\+|-) [0-9_]+)*")
TIME = re.compile(r"Duration::from_(secs|millis|mins)\(([0-9_]+)\)")
TIMES = {"secs": 1_000, "millis": 1, "mins": 60_000}
COMMENT = ("//", "/*", "*")

# Definitions that are generated; a second one would be a second place for the same numbers.
ONCE = re.compile(r"\b(?:enum (?:FrameType|ErrorCode|CloseCode)|const (?:FrameType|ErrorCode|CloseCode|SIGNAL_CODES|RESERVED(?:_NAMES)?"
                  r"|REGISTRY|SETTINGS))\b[^=\n]*(?:=\s*(?:new Set\()?\s*[\[{\"&]|\{)")


def check(registries, found):
    check_citations(found)
    check_once()
    check_limits(registries["limits"])
    check_close_codes()
    check_http_errors(registries["http-errors"])
    check_statuses(registries["http-errors"], found)


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


def written_by_hand(*suffixes):
    """Sources of the implementation that are neither generated nor tests."""
    for path in sources(*suffixes, below=["impl"]):
        parts = path.relative_to(ROOT).parts
        if "src" in parts and "tests" not in parts and not path.stem.endswith("tests") and path not in (*RUST_FILES, TYPESCRIPT):
            yield path


def untested(path):
    """The text of a file up to the tests in it."""
    return re.split(r"^\s*#\[cfg\(test\)\]\n\s*mod ", read(path), maxsplit=1, flags=re.M)[0]


def check_once():
    for path in written_by_hand(".rs", ".ts"):
        for match in ONCE.finditer(read(path)):
            name = re.search(r"(?:enum|const) (\w+)", match.group()).group(1)
            place = TYPESCRIPT if path.suffix == ".ts" else RUST
            problem(relative(path), f"defines {name} by hand: use {relative(place)}, which is made from the registries")


def plain(name, expression):
    """(number, whether it is a time in milliseconds) of a constant, `None` where it comes from elsewhere."""
    time = TIME.fullmatch(expression)
    if time:
        return int(time[2].replace("_", "")) * TIMES[time[1]], True
    if not PLAIN.fullmatch(expression):
        return None
    return eval(expression, {"__builtins__": {}}), name.endswith("_MS")  # noqa: S307


def check_limits(rows):
    """No constant has a number of its own that limits.csv has: the same value under the name that is made
    of it, or under a comment that names a sentence which fixes it."""
    for path in written_by_hand(".rs", ".ts"):
        text = untested(path)
        for match in CONSTANT.finditer(text):
            name, expression = match.groups()
            value = plain(name, expression)
            if value is None:
                continue
            above = []
            for line in reversed(text[:match.start()].rstrip("\n").splitlines()):
                if not line.strip().startswith(COMMENT):
                    break
                above.append(line)
            cited = set(ids_in("\n".join(above)))
            for row in named(rows):
                its_own = (milliseconds(row), True) if milliseconds(row) else (number(row["value"]), False)
                if value == its_own and (name in (limit_name(row), row["name"].upper()) or cited & set(ids_of(row))):
                    problem(relative(path), f"types {name} by hand: use {made_of(row, path)}, which is made from spec/registries/limits.csv")


def made_of(row, path):
    if path.suffix == ".ts":
        return f"Limit.{limit_name(row)} of {relative(TYPESCRIPT)}"
    place = next((relative(file) for areas, file in RUST_LIMITS.items() if row["area"] in areas), "limits.csv")
    return f"{row['name'].upper()} of {place}"


def check_close_codes():
    for path in written_by_hand(".rs", ".ts"):
        code = re.sub(r"//.*|^\s*\*.*|\"(?:[^\"\\\n]|\\.)*\"|`[^`]*`", "", untested(path), flags=re.M)
        # 1000 is any number, and 1004 is none.
        for typed in re.findall(r"\b10(?:0[1-35-9]|1[0-5])\b", code):
            place = TYPESCRIPT if path.suffix == ".ts" else RUST
            problem(relative(path), f"types the close code {typed} by hand: use {relative(place)}")


def check_http_errors(rows):
    """Names of `p2claw-error` come from the constants. In TypeScript tabs and workers have codes of their own,
    so only lines that write the field count."""
    names = {row["name"] for row in rows}
    for crate in ("agent", "edge", "visitor", "browser"):
        for path in written_by_hand(".rs", ".ts"):
            if path.relative_to(ROOT).parts[1] != crate:
                continue
            text = untested(path)
            if path.suffix == ".ts":
                text = "\n".join(line for line in text.splitlines() if "p2claw-error" in line)
            place = TYPESCRIPT if path.suffix == ".ts" else RUST_SIGNALING
            for name in sorted(names & set(re.findall(r"[\"']([A-Z][A-Z_]+)[\"']", text))):
                problem(relative(path), f"types the name {name} of p2claw-error by hand: use {relative(place)}")


def check_statuses(rows, found):
    """A sentence that names a status with a name of `p2claw-error` says the one of the registry."""
    statuses = {row["name"]: row["status"] for row in rows}
    for requirement in found.values():
        for status, name in re.findall(r"\b([1-5][0-9]{2}) (?:with `p2claw-error: )?([A-Z][A-Z_]+)\b", requirement["text"]):
            if name in statuses and statuses[name] != status:
                problem(requirement["file"], f"{requirement['id']} says {status} {name}, http-errors.csv says {statuses[name]}")
