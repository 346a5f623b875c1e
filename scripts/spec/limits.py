"""Reads spec/registries/limits.csv: numbers that the text fixes, and the tables "Limits".

A row with a name has a number of its own, of which constants are made. A row without one may count
with others: with names of this file, and with `default`, `min` and `max` of a setting. `written` says
how the number stands in each of the sentences `ids`, or, without ids, anywhere in the text; forms
that differ are parted by ` / `. A row with a `limit` stands in the table of its area.

In `written` and `limit`, `{}` is the row's own number, `{word}`, `{ordinal}`, `{times}` and `{kib}`
are other forms of it, and anything else in braces is counted as above.
"""
import re
from types import SimpleNamespace

from .files import ID, problem, read
from .registries import number, place
from .tables import MARKER, table
from .text import documents

WORDS = "no one two three four five six seven eight nine ten".split()
ORDINALS = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth".split()
TIMES = ["never", "once", "twice"]
FORMS = {
    "word": lambda value: WORDS[value],
    "ordinal": lambda value: ORDINALS[value],
    "times": lambda value: TIMES[value],
    "kib": lambda value: f"{value // 1024:,}",
}
# Of the times, in milliseconds.
TIME_UNITS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}
AREAS = ("names", "identity", "session", "signaling", "webrtc", "browser")
COLUMNS = ("what", "limit", "unit", "id", "enforced by")


def milliseconds(row):
    """A time in milliseconds, `None` for what is no time."""
    factor = TIME_UNITS.get(row["unit"])
    return factor and number(row["value"]) * factor


def named(rows, area=None):
    return [row for row in rows if row["name"] and area in (None, row["area"])]


class Limits:
    """The rows, and what is made of them. Columns that are broken are said once, by `check`."""

    def __init__(self, registries):
        self.rows = registries["limits"]
        self.known = {row["name"]: SimpleNamespace(**{key: number(row[key]) for key in ("default", "min", "max")})
                      for row in registries["settings"]}
        self.known |= {row["name"]: number(row["value"]) for row in named(self.rows) if row["value"].isdigit()}

    def counted(self, expression):
        if not re.fullmatch(r"[a-z0-9_.+* ()]+", expression):
            raise ValueError(expression)
        # Only names of the registries, numbers, sums and products get here.
        value = eval(expression, {"__builtins__": {}}, self.known)  # noqa: S307
        if not isinstance(value, int):
            raise ValueError(expression)
        return value

    def filled(self, row, text):
        own = self.counted(row["value"]) if row["value"] else None

        def form(match):
            inside = match.group(1)
            if inside in FORMS:
                return FORMS[inside](own)
            return f"{self.counted(inside) if inside else own:,}"

        return re.sub(r"\{([^{}]*)\}", form, text)

    def phrases(self, row):
        return [self.filled(row, form) for form in row["written"].split(" / ")]

    def table(self, areas):
        if set(areas) - set(AREAS):
            return None
        shown = [row for row in self.rows if row["area"] in areas and row["limit"]]
        return table([dict(zip(COLUMNS, (row["what"], self.filled(row, row["limit"]), row["unit"],
                                         ", ".join(sorted(ids_of(row))), row["enforced_by"]))) for row in shown])

    def shown(self):
        """The areas that have a table."""
        return {row["area"] for row in self.rows if row["limit"]}

    def check(self):
        """What can be said without the text."""
        for line, row in enumerate(self.rows, 2):
            where = place("limits", line)
            if row["area"] not in AREAS:
                problem(where, f"area {row['area']!r} is none of {sorted(AREAS)}")
            if bool(row["name"]) != row["value"].isdigit():
                problem(where, "a row has a name if, and only if, it has a number of its own")
            if row["name"] and not re.fullmatch(r"[a-z][a-z_]*", row["name"]):
                problem(where, f"name {row['name']!r} has other characters than a to z and _")
            if bool(row["value"]) != bool(row["written"]):
                problem(where, "a row says how it is written if, and only if, it has a value")
            if bool(row["what"]) != bool(row["limit"] or row["name"]):
                problem(where, "a row says what it is if, and only if, it has a name or stands in a table")
            for column in ("limit", "written"):
                try:
                    self.filled(row, row[column])
                except (ArithmeticError, AttributeError, IndexError, NameError, SyntaxError, TypeError, ValueError) as error:
                    problem(where, f"{column} cannot be counted: {error}")

    def check_text(self, requirements):
        """Every sentence says the number of the row that names it."""
        # Without the tables that are made of this file.
        whole = " ".join(" ".join(MARKER.sub("", read(path)).split()) for path in documents())
        for line, row in enumerate(self.rows, 2):
            for one in ids_of(row):
                if not re.fullmatch(ID, one) or one not in requirements:
                    problem(place("limits", line), f"{one} is no requirement")
            if not row["value"]:
                continue
            phrases = self.phrases(row)
            wanted = " or ".join(repr(phrase) for phrase in phrases)
            for one in row["ids"].split():
                if one in requirements and not any(says(requirements[one]["text"], phrase) for phrase in phrases):
                    problem(requirements[one]["file"], f"{one} does not say {wanted}, as {place('limits', line)} does")
            if not row["ids"]:
                for phrase in phrases:
                    if not says(whole, phrase):
                        problem(place("limits", line), f"no text in spec/v1 says {phrase!r}")


def ids_of(row):
    return [*row["ids"].split(), *row["see"].split()]


def says(text, phrase):
    """The phrase, and not the end or the beginning of a longer number."""
    return re.search(rf"(?<![0-9,]){re.escape(phrase)}(?![0-9])", text) is not None
