"""Finds the tests of Rust, TypeScript and JavaScript, and the requirements that each of them cites.

A citation counts when it stands in the test: in its name or title, in its body, or in the comments
and attributes directly above it. One in other code says that the code obeys a requirement, and
proves nothing. Of a range such as `SES-030 to SES-039` only the two ends are cited.

Rust is formatted by rustfmt and the rest in the same manner, so a test ends at the first line that
is indented like its beginning and closes it.
"""
import re

from .files import PREFIXES, ids_in, read, relative, sources

RUST_FUNCTION = re.compile(r"^(\s*)(?:pub(?:\([a-z]+\))? )?(?:async )?fn (\w+)")
RUST_TEST = re.compile(r"#\[(?:tokio::)?test\b")
SCRIPT_TEST = re.compile(r"^(\s*)(?:await )?(?:\w+\.)?(?:test|it|scenario)\(\s*([\"'`])(.*?)\2")
SCRIPT_TEST_OPEN = re.compile(r"^(\s*)(?:await )?(?:\w+\.)?(?:test|it|scenario)\($")
ID_IN_NAME = re.compile(rf"(?:^|_)({'|'.join(PREFIXES)})_([0-9]{{3}})(?=_|$)", re.I)


def above(lines, index, starts):
    """The lines directly above that begin with one of `starts`, and everything within a block comment."""
    first = index
    while first > 0 and lines[first - 1].strip().startswith(starts):
        first -= 1
    return lines[first:index]


def until(lines, index, ends):
    """The lines from `index` to the first that `ends`, both included."""
    for last in range(index + 1, len(lines)):
        if ends(lines[last]):
            return lines[index:last + 1]
    return lines[index:]


def listed(path):
    """Functions of this file that a macro in the folder's main.rs makes tests of, once for each
    pair of stacks: a list with one `module::function` a line."""
    main = path.parent / "main.rs"
    if "tests" not in path.parts or not main.exists():
        return set()
    return set(re.findall(rf"^ +{path.stem}::(\w+)$", read(main), re.M))


def rust_tests(text, listed=frozenset()):
    lines = text.splitlines()
    for index, line in enumerate(lines):
        function = RUST_FUNCTION.match(line)
        if not function:
            continue
        indent, name = function.groups()
        head = above(lines, index, ("#[", "//", ")]"))
        if not (name in listed or RUST_TEST.search("\n".join(head))) or any("#[ignore" in one for one in head):
            continue
        body = until(lines, index, lambda one: one == f"{indent}}}")
        cited = {f"{prefix.upper()}-{digits}" for prefix, digits in ID_IN_NAME.findall(name)}
        yield name, cited | set(ids_in("\n".join(head + body)))


def script_tests(text):
    lines = text.splitlines()
    for index, line in enumerate(lines):
        opening = SCRIPT_TEST.match(line)
        if opening:
            indent, title = opening[1], opening[3]
        else:
            opening = SCRIPT_TEST_OPEN.match(line)
            quoted = re.match(r"\s*([\"'`])(.*?)\1", lines[index + 1]) if opening and index + 1 < len(lines) else None
            if not quoted:
                continue
            indent, title = opening[1], quoted[2]
        head = above(lines, index, ("//", "/*", "*"))
        body = [line] if line.endswith(");") else until(lines, index, lambda one: one.startswith((f"{indent}}})", f"{indent});")))
        yield title, set(ids_in("\n".join(head + body)))


def of_tests():
    """Id -> [(file, test)] of every test that cites it."""
    cited = {}
    for path in sources(".rs"):
        for name, ids in rust_tests(read(path), listed(path)):
            for one in ids:
                cited.setdefault(one, []).append((relative(path), name))
    for path in sources(".ts", ".mjs", ".js", below=["impl/browser/test", "impl/browser/e2e/test"]):
        for title, ids in script_tests(read(path)):
            for one in ids:
                cited.setdefault(one, []).append((relative(path), title))
    return {one: sorted(set(places)) for one, places in cited.items()}
