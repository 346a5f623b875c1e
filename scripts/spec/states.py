"""Reads and checks spec/states/*.csv: state machines as tables, one row for each state and event.

Columns: state, event, next (`-`: it stays), action, error (a name of a registry and the scope of
the error), req (ids). The tables in the text put rows with the same outcome together.
"""
import csv
import re

from .files import ID, STATES, problem, read, relative

COLUMNS = ["state", "event", "next", "action", "error", "req"]
STAYS = "-"
# What an error ends, or whom its answer reaches -> registries that may name it.
SCOPES = {
    "session": ("error-codes",),
    "stream": ("error-codes",),
    "link": ("signal-codes",),
    "message": ("signal-codes",),
    "visit": ("signal-codes",),
    "request": ("signal-codes",),
}


def load(registries):
    """Name -> rows of every state machine, checked but for the ids."""
    names = {registry: {row["name"] for row in registries[registry]} for registry in ("error-codes", "signal-codes")}
    machines = {}
    for path in sorted(STATES.glob("*.csv")):
        where = relative(path)
        reader = csv.DictReader(read(path).splitlines())
        rows = list(reader)
        if reader.fieldnames != COLUMNS or any(None in row or None in row.values() for row in rows):
            problem(where, f"needs the columns {', '.join(COLUMNS)} in every line")
            continue
        if not re.fullmatch(r"[a-z0-9-]+", path.stem):
            problem(where, "the name of a table has letters a to z, digits and hyphens only")
        check_pairs(where, rows)
        check_rows(where, rows, names)
        machines[path.stem] = rows
    return machines


def check_pairs(where, rows):
    """Every pair of a state and an event is there once."""
    lines = {}
    for line, row in enumerate(rows, 2):
        pair = (row["state"], row["event"])
        if pair in lines:
            problem(f"{where}:{line}", f"{pair[0]!r} and {pair[1]!r} stand in line {lines[pair]} already")
        lines[pair] = line
    for state in unique(row["state"] for row in rows):
        for event in unique(row["event"] for row in rows):
            if (state, event) not in lines:
                problem(where, f"says nothing about {event!r} in the state {state!r}")


def check_rows(where, rows, names):
    states = unique(row["state"] for row in rows)
    reached = {rows[0]["state"]} if rows else set()
    for line, row in enumerate(rows, 2):
        for column in ("state", "event", "next", "action", "req"):
            if not row[column] or row[column] != row[column].strip():
                problem(f"{where}:{line}", f"{column} is empty, or has spaces around it")
        if row["next"] not in (STAYS, *states):
            problem(f"{where}:{line}", f"{row['next']!r} is no state of this table")
        if row["next"] == row["state"]:
            problem(f"{where}:{line}", f"a state that stays is written {STAYS}")
        reached |= {row["next"]} | {state for state in states if f": {state}" in row["action"] or f"{state} when" in row["action"]}
        if row["error"]:
            name, _, scope = row["error"].partition(" ")
            if scope not in SCOPES:
                problem(f"{where}:{line}", f"{row['error']!r} is no name with one of the scopes {', '.join(SCOPES)}")
            elif not any(name in names[registry] for registry in SCOPES[scope]):
                problem(f"{where}:{line}", f"{name} is not in spec/registries/{SCOPES[scope][0]}.csv")
    for state in states:
        if state not in reached:
            problem(where, f"no row leads to the state {state!r}")


def check_ids(machines, found):
    for name, rows in machines.items():
        for line, row in enumerate(rows, 2):
            for one in row["req"].split():
                if not re.fullmatch(ID, one) or one not in found:
                    problem(f"spec/states/{name}.csv:{line}", f"{one} is no requirement")
            if row["next"] == STAYS and row["action"] in ("ignore", "cannot happen", "nothing"):
                continue
            # The numbers themselves are in limits.csv, from which the sentences are checked.
            said = " ".join(found[one]["text"] for one in row["req"].split() if one in found)
            for time in re.findall(r"\b[0-9]+ s\b", f"{row['event']} {row['action']}"):
                if not re.search(rf"\b{time}\b", said):
                    problem(f"spec/states/{name}.csv:{line}", f"{time} is in none of {row['req']}")


def unique(values):
    return list(dict.fromkeys(values))


# --- tables for people ----------------------------------------------------------------------

def tables(machines):
    return {name: table(rows) for name, rows in machines.items()}


def table(rows):
    """States that treat every event alike share their rows, and events of a state with the same outcome share one."""
    by_state = {}
    for row in rows:
        outcomes = by_state.setdefault(row["state"], {})
        outcome = (row["next"], row["action"], row["error"])
        events, ids = outcomes.setdefault(outcome, ([], []))
        events.append(row["event"])
        ids += row["req"].split()
    alike = {}
    for state, outcomes in by_state.items():
        key = tuple((outcome, tuple(events)) for outcome, (events, _) in outcomes.items())
        states, merged = alike.setdefault(key, ([], {outcome: [] for outcome in outcomes}))
        states.append(state)
        for outcome, (_, ids) in outcomes.items():
            merged[outcome] += ids
    lines = ["| state | event | next | what the end does | error | requirements |", "|---|---|---|---|---|---|"]
    for key, (states, ids) in alike.items():
        for (outcome, events) in key:
            following, action, error = outcome
            cells = [", ".join(states), "any" if len(key) == 1 else ", ".join(events), following, action, error, " ".join(sorted(set(ids[outcome])))]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
