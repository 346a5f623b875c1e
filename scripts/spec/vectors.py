"""Has conformance/vectors/make.py compare or write its files, and says which requirements they cite."""
import json
import subprocess
import sys

from .files import ROOT, VECTORS, ids_in, problem, read, relative, sources


def make(writing):
    command = [sys.executable, "-B", str(VECTORS / "make.py")] + ([] if writing else ["--check"])
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if result.stdout:
        print(result.stdout, end="")
    if result.returncode:
        lines = (result.stderr or "make.py failed").strip().splitlines()
        # Of a failure of make.py itself, the last line says most.
        for line in lines[-1:] if lines[0].startswith("Traceback") else lines:
            problem("conformance/vectors", line)


def cited_in(value):
    """The ids in every `req` of a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "req":
                yield from ids_in(" ".join(inner) if isinstance(inner, list) else inner)
            else:
                yield from cited_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from cited_in(inner)


def citations(found):
    """Id -> names of the vector files that have a case for it. A file that no test reads does not count."""
    tests = "".join(read(path) for path in sources(".rs", ".ts", below=["conformance", "impl/browser/test"]))
    cited = {}
    for path in sorted(VECTORS.glob("*.json")):
        if path.name == "schema.json":
            continue
        text = read(path)
        for name in sorted(set(ids_in(text)) - set(found)):
            problem(relative(path), f"cites {name}, which is not in the specification")
        names = set(cited_in(json.loads(text)))
        if names and path.name not in tests and f'"{path.stem}"' not in tests:
            problem(relative(path), "is read by no test of conformance or impl/browser/test")
            continue
        for name in names:
            cited.setdefault(name, []).append(path.name)
    return cited
