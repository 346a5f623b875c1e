"""Fills the parts of spec/v1/*.md that are made from registries, state tables and vectors.

They stand between `<!-- registry: NAME [COLUMN...] -->`, `<!-- limits: AREA [AREA...] -->`,
`<!-- states: NAME -->` or `<!-- message: NAME -->` and `<!-- end -->`.
"""
import json
import re

from .files import VECTORS, problem, read, relative, write
from .text import documents

KINDS = "registry|limits|states|message"
MARKER = re.compile(rf"<!-- ({KINDS}): ([a-z0-9-]+)((?: [a-z_]+)*) -->\n(.*?)<!-- end -->", re.S)


def table(rows, columns=None):
    columns = columns or list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row[column] for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def example(name):
    """A message of agent-in-ten-messages.md, in hex."""
    path = VECTORS / "ten-messages.json"
    if not path.exists():
        return None
    for message in json.loads(read(path))["messages"]:
        if message["name"] == name:
            data = message["hex"]
            lines = [data[i:i + 64] for i in range(0, len(data), 64)]
            return (f"{message['from']} to {message['to']}, {message['on']}, {len(data) // 2} bytes:\n```text\n"
                    + "\n".join(lines) + "\n```")
    return None


def check(registries, limits, machines, writing):
    """`limits` makes the tables of areas; `machines`: name of a state machine -> its table as text."""
    def body_of(kind, name, columns):
        if kind == "registry":
            rows = registries.get(name)
            return table(rows, columns) if rows else None
        if kind == "limits":
            return limits.table([name, *(columns or [])])
        if kind == "states":
            return machines.get(name)
        return example(name)

    shown = set()
    for path in documents():
        text = read(path)
        if len(re.findall(rf"<!-- (?:{KINDS}):", text)) != len(MARKER.findall(text)):
            problem(relative(path), "has a marker of a generated part without its end")

        def filled(match, path=path):
            nonlocal shown
            kind, name, columns, _ = match.groups()
            shown |= {(kind, one) for one in (name, *(columns.split() if kind == "limits" else ()))}
            body = body_of(kind, name, columns.split() or None)
            if body is None:
                problem(relative(path), f"there is no {kind} {name}")
                return match.group(0)
            return f"<!-- {kind}: {name}{columns} -->\n{body}\n<!-- end -->"

        wanted = MARKER.sub(filled, text)
        if wanted == text:
            continue
        if writing:
            write(path, wanted)
        else:
            problem(relative(path), "has a stale table or example: run scripts/spec-check --write")
    for area in sorted(limits.shown()):
        if ("limits", area) not in shown:
            problem("spec/registries/limits.csv", f"the limits of {area} are shown nowhere: put `<!-- limits: {area} -->` "
                    "and `<!-- end -->` into the document that they are of")
    for name in sorted(machines):
        if ("states", name) not in shown:
            problem(f"spec/states/{name}.csv", f"is shown nowhere: put `<!-- states: {name} -->` and `<!-- end -->` "
                    "into the document that describes it")
