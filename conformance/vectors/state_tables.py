"""Reads spec/states/*.csv, and finds the shortest way to each state."""
import csv
import heapq
import pathlib

STATES = pathlib.Path(__file__).resolve().parent.parent.parent / "spec" / "states"
CANNOT = "cannot happen"


class Row:
    def __init__(self, row):
        self.state, self.event, self.action = row["state"], row["event"], row["action"]
        self.next = row["state"] if row["next"] == "-" else row["next"]
        self.error, _, self.scope = row["error"].partition(" ")
        self.req = row["req"].split()


class Table:
    """One state machine; its first state is where it begins."""

    def __init__(self, name):
        self.name = name
        with open(STATES / f"{name}.csv", newline="", encoding="utf-8") as file:
            self.rows = [Row(row) for row in csv.DictReader(file)]
        self.start = self.rows[0].state
        self.at = {(row.state, row.event): row for row in self.rows}
        if len(self.at) != len(self.rows):
            raise SystemExit(f"spec/states/{name}.csv: a state and an event stand there twice")

    def ways(self, avoid=()):
        """State -> events that lead to it: those without errors first, then the shortest.

        `avoid`: pairs that are no step on the way.
        """
        found, heap, count = {}, [(0, 0, self.start, ())], 0
        while heap:
            cost, _, state, events = heapq.heappop(heap)
            if state in found:
                continue
            found[state] = list(events)
            for row in self.rows:
                if row.state == state and row.next != state and (row.state, row.event) not in avoid and row.action != CANNOT:
                    count += 1
                    heapq.heappush(heap, (cost + (100 if row.error else 1), count, row.next, events + (row.event,)))
        return found
