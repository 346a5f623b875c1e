"""Where things lie, and the one list of what is wrong."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SPEC = ROOT / "spec" / "v1"
REGISTRIES = ROOT / "spec" / "registries"
STATES = ROOT / "spec" / "states"
VECTORS = ROOT / "conformance" / "vectors"

PREFIXES = "NAM IDN SIG SES HTP WSK RTC BWS BQC BRO EDG ERR VER SEC AGT".split()
ID = rf"(?:{'|'.join(PREFIXES)})-[0-9]{{3}}"

CODE_DIRECTORIES = ("proto", "impl", "conformance", "fuzz", "benches")
SKIPPED = {"target", "node_modules", "dist", ".git", "gen"}

problems = []


def problem(where, what):
    problems.append(f"{where}: {what}")


def relative(path):
    return path.relative_to(ROOT).as_posix()


def read(path):
    return path.read_text(encoding="utf-8")


def write(path, text):
    if not path.exists() or read(path) != text:
        path.write_text(text, encoding="utf-8")
        print(f"wrote {relative(path)}")


def generated(path, text, writing):
    """A file that is made as a whole: brought up to date, or compared."""
    if writing:
        write(path, text)
    elif not path.exists() or read(path) != text:
        problem(relative(path), "is stale: run scripts/spec-check --write")


def sources(*suffixes, below=CODE_DIRECTORIES):
    """Files of code with one of these suffixes, sorted, without what is built or installed."""
    for directory in below:
        for path in sorted((ROOT / directory).rglob("*")):
            if path.suffix in suffixes and not SKIPPED & set(path.relative_to(ROOT).parts) and path.is_file():
                yield path


def ids_in(text):
    return re.findall(rf"\b{ID}\b", text)
