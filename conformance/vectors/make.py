#!/usr/bin/env python3
"""Makes the vectors beside it. `make.py` writes them, `make.py --check` compares.

It shares no code with the implementations that read the vectors. Only the standard library.
"""
import csv
import hashlib
import json
import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cookie_vectors  # noqa: E402
import flow_vectors  # noqa: E402
import form  # noqa: E402
import frames_vectors  # noqa: E402
import http_vectors  # noqa: E402
import names_vectors  # noqa: E402
import response_vectors  # noqa: E402
import sequence_vectors  # noqa: E402
import signaling_vectors  # noqa: E402
import statements_vectors  # noqa: E402
import ten_messages  # noqa: E402
import turn_vectors  # noqa: E402
import websocket_sequences  # noqa: E402

REGISTRIES = HERE.parent.parent / "spec" / "registries"


def registry(name):
    with open(REGISTRIES / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def finish(vectors):
    """Adds what every file has."""
    head = {
        "vectors": vectors["vectors"],
        "spec": "v1",
        "generator": "conformance/vectors/make.py",
        "format": 1,
        "count": sum(len(group["cases"]) for group in vectors["groups"]),
    }
    return head | {key: value for key, value in vectors.items() if key != "vectors"}


def all_files():
    words = {
        "adjectives": [row["word"] for row in registry("alias-adjectives")],
        "nouns": [row["word"] for row in registry("alias-nouns")],
    }
    reserved = [row["name"] for row in registry("reserved-names")]
    made = [
        names_vectors.names(reserved),
        names_vectors.aliases(words),
        names_vectors.peer_ids(),
        statements_vectors.statements(),
        frames_vectors.frames(registry("frame-types")),
        sequence_vectors.sequences(),
        flow_vectors.flow_control(),
        websocket_sequences.closes(),
        http_vectors.http_fields(),
        response_vectors.responses(),
        cookie_vectors.cookies(),
        signaling_vectors.signaling(),
        turn_vectors.turn_credentials(),
    ]
    files = {vectors["vectors"] + ".json": finish(vectors) for vectors in made}
    faults = list(form.check(files))
    if faults:
        raise SystemExit("\n".join(faults))
    files["ten-messages.json"] = ten_messages.ten_messages(words)
    return {name: written(data) + "\n" for name, data in files.items()}


#: What is shorter stands on one line, so that a step of a sequence is a line in a comparison.
LINE = 200


def written(value, indent=0):
    """JSON with one line for what fits on one."""
    line = json.dumps(value, ensure_ascii=True)
    if not isinstance(value, (dict, list)) or not value or len(line) + indent <= LINE:
        return line
    inner = " " * (indent + 1)
    if isinstance(value, dict):
        rows = [inner + json.dumps(key) + ": " + written(item, indent + 1) for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    rows = [inner + written(item, indent + 1) for item in value]
    return "[\n" + ",\n".join(rows) + "\n" + " " * indent + "]"


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        raise SystemExit(__doc__)
    stale = []
    for name, text in all_files().items():
        path = HERE / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8")
            print(f"wrote conformance/vectors/{name} ({hashlib.sha256(text.encode()).hexdigest()[:12]})")
    if check and stale:
        raise SystemExit("stale: " + " ".join(stale) + ": run conformance/vectors/make.py")


if __name__ == "__main__":
    main()
