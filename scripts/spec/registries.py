"""Reads and checks spec/registries/*.csv: every number, word and name is given out once, in its range."""
import csv
import re

from .files import REGISTRIES, ROOT, problem, read, relative

# Registry -> columns whose values are given out once, the first one being the key.
UNIQUE = {
    "frame-types": ("type", "name"),
    "error-codes": ("code", "name"),
    "settings": ("id", "name"),
    "signal-codes": ("code", "name"),
    "http-errors": ("name",),
    "close-codes": ("code", "name"),
    "limits": ("name",),
    "reserved-names": ("name",),
    "alias-adjectives": ("index", "word"),
    "alias-nouns": ("index", "word"),
    "ranges": (),
}
NUMBERS = ("type", "code", "id", "index")
ALLOWED = {
    ("frame-types", "stream"): {"zero", "one", "either"},
    ("error-codes", "fault"): {"peer", "self", "upstream", "caller", "limit"},
    ("error-codes", "scope"): {"session", "stream"},
    ("close-codes", "travels"): {"yes", "no"},
    ("http-errors", "by"): {"edge", "agent", "visitor"},
    ("ranges", "kind"): {"core", "specification required", "private use", "grease"},
}
# Numbers from these ranges may stand in a registry.
REGISTERED_KINDS = {"core", "specification required"}
# Largest number of a varint, in which the numbers of a session travel.
VARINT_MAX = 2**62 - 1


def number(text):
    return int(text, 16) if text.startswith("0x") else int(text)


def place(name, line=None):
    return f"spec/registries/{name}.csv" + (f":{line}" if line else "")


def load():
    """Name -> rows of every registry, checked."""
    registries = {name: rows_of(name) for name in UNIQUE}
    for path in sorted(REGISTRIES.glob("*.csv")):
        if path.stem not in UNIQUE:
            problem(relative(path), "is not known to scripts/spec/registries.py: add it to UNIQUE")
    for name, rows in registries.items():
        check_unique(name, rows)
        check_allowed(name, rows)
    check_words(registries)
    check_defaults(registries["settings"])
    check_ranges(registries)
    check_payloads(registries["frame-types"])
    return registries


def rows_of(name):
    path = REGISTRIES / f"{name}.csv"
    if not path.exists():
        problem(relative(path), "is missing")
        return []
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for line, row in enumerate(rows, 2):
        if None in row or None in row.values():
            problem(place(name, line), "has another number of columns than the header")
            return []
    return rows


def check_unique(name, rows):
    for column in UNIQUE[name]:
        seen = {}
        for line, row in enumerate(rows, 2):
            if column not in row:
                problem(place(name, line), f"has no column {column}")
                return
            value = row[column]
            if name == "limits" and not value:
                continue
            if column in NUMBERS:
                try:
                    value = number(value)
                except ValueError:
                    problem(place(name, line), f"{column} {value!r} is no number")
                    continue
            if value in seen:
                problem(place(name, line), f"{column} {row[column]!r} stands in line {seen[value]} already")
            seen[value] = line


def check_allowed(name, rows):
    for (registry, column), allowed in ALLOWED.items():
        if registry == name:
            for line, row in enumerate(rows, 2):
                if row.get(column) not in allowed:
                    problem(place(name, line), f"{column} {row.get(column)!r} is none of {sorted(allowed)}")


def check_words(registries):
    for name in ("alias-adjectives", "alias-nouns"):
        rows = registries[name]
        if len(rows) != 512:
            problem(place(name), f"has {len(rows)} words, not 512")
        for line, row in enumerate(rows, 2):
            if not re.fullmatch("[a-z]{3,10}", row["word"]):
                problem(place(name, line), f"{row['word']!r} is not 3 to 10 letters a to z")
            if row["index"] != str(line - 2):
                problem(place(name, line), "index out of order")
    doubled = {row["word"] for row in registries["alias-adjectives"]} & {row["word"] for row in registries["alias-nouns"]}
    if doubled:
        problem(place("alias-nouns"), f"shares words with alias-adjectives.csv: {' '.join(sorted(doubled))}")


def check_defaults(rows):
    for line, row in enumerate(rows, 2):
        if not number(row["min"]) <= number(row["default"]) <= number(row["max"]):
            problem(place("settings", line), f"default of {row['name']} is outside of its range")


def check_payloads(rows):
    messages = set(re.findall(r"^message (\w+)", read(ROOT / "proto/p2claw/v1/session.proto"), re.M))
    for line, row in enumerate(rows, 2):
        if row["payload"] != "raw" and row["payload"] not in messages:
            problem(place("frame-types", line), f"payload {row['payload']} is no message of session.proto")


# --- ranges ---------------------------------------------------------------------------------

def numbers_of(row):
    return range(number(row["first"]), number(row["last"]) + 1, number(row["step"]))


def check_ranges(registries):
    """Ranges of a registry do not overlap, grease aside, and every registered number lies in one that allows it."""
    by_registry = {}
    for line, row in enumerate(registries["ranges"], 2):
        where = place("ranges", line)
        if row["registry"] not in UNIQUE or not UNIQUE[row["registry"]] or UNIQUE[row["registry"]][0] not in NUMBERS:
            problem(where, f"{row['registry']} is no registry with numbers")
        elif not len(numbers_of(row)) or numbers_of(row)[-1] != number(row["last"]):
            problem(where, f"{row['last']} is not reached from {row['first']} in steps of {row['step']}")
        else:
            by_registry.setdefault(row["registry"], []).append((line, row))
    for name, lines in by_registry.items():
        plain = sorted((numbers_of(row)[0], numbers_of(row)[-1], line) for line, row in lines if row["kind"] != "grease")
        for (_, last, line), (first, _, _) in zip(plain, plain[1:]):
            if first <= last:
                problem(place("ranges", line), f"overlaps another range of {name}")
        for line, row in lines:
            if row["kind"] == "grease" and numbers_of(row)[-1] + numbers_of(row).step <= VARINT_MAX:
                problem(place("ranges", line), "grease ends before the largest varint")
        check_numbers(name, registries[name], [row for _, row in lines])
    for name in ("frame-types", "error-codes", "settings", "signal-codes", "close-codes"):
        if name not in by_registry:
            problem(place("ranges"), f"says nothing about {name}")
    forms = {(row["first"], row["step"]) for row in registries["ranges"] if row["kind"] == "grease"}
    if len(forms) != 1:
        problem(place("ranges"), f"has {len(forms)} forms of grease, and the code knows one")


def check_numbers(name, rows, ranges):
    key = UNIQUE[name][0]
    for line, row in enumerate(rows, 2):
        value = number(row[key])
        kinds = {one["kind"] for one in ranges if value in numbers_of(one)}
        if "grease" in kinds:
            problem(place(name, line), f"{row[key]} is of grease form and is never given out (VER-020)")
        elif not kinds & REGISTERED_KINDS:
            problem(place(name, line), f"{row[key]} lies in no range that can be registered "
                    f"({', '.join(sorted(kinds)) or 'unassigned'}): see ranges.csv")
