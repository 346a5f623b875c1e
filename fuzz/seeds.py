#!/usr/bin/env python3
"""Writes the seeds that come from the vectors into fuzz/corpus; others there are left alone.

Run it when conformance/vectors has changed. Files are named after the cases.
"""

import json
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "conformance/vectors"
# A seed is a beginning, not a test: the vectors have tests of their own.
SEEDS = 45
LONGEST = 2_000


def cases(name, *kinds):
    groups = json.loads((VECTORS / f"{name}.json").read_text())["groups"]
    found = [case for group in groups if group["type"] in kinds for case in group["cases"]]
    # Every n-th, so that all kinds have their share.
    step = -(-len(found) // SEEDS)
    return found[::step]


written = set()


def write(target, name, data):
    if len(data) > LONGEST or (target, data) in written:
        return
    written.add((target, data))
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    (folder / f"vector-{name}").write_bytes(data)


def main():
    for old in HERE.glob("corpus/*/vector-*"):
        old.unlink()
    for case in cases("frames", "frame"):
        write("frames", case["id"], bytes.fromhex(case["input"]["hex"]))
    for case in cases("names", "app-name", "alias", "host-label"):
        write("names", case["id"], case["input"].encode())
    for case in cases("peer-ids", "peer-id")[:12]:
        write("names", case["id"], case["input"].encode())
    for case in cases("names", "host"):
        write("labels", case["id"], f"{case['parent']}\n{case['input']}".encode())
    for case in cases("statements", "visit"):
        write("sdp", case["id"], case["input"]["answer_sdp"].encode())
    ten = json.loads((VECTORS / "ten-messages.json").read_text())
    for end in ("offer", "answer"):
        write("sdp", f"ten-messages {end}", ten[f"{end}_sdp"].encode())
    for message in ten["messages"]:
        # 0: one message for every reader (src/signaling.rs).
        write("signaling", f"ten-messages {message['name']}", b"\0" + bytes.fromhex(message["hex"]))


if __name__ == "__main__":
    main()
