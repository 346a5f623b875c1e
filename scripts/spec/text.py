"""Finds the requirements in spec/v1/*.md, and keeps spec/v1/requirements.json."""
import json
import re

from .files import ID, SPEC, generated, ids_in, problem, read, relative

KEYWORD = re.compile(r"\b(MUST NOT|MUST|SHALL NOT|SHALL|REQUIRED|SHOULD NOT|SHOULD|NOT RECOMMENDED|RECOMMENDED|MAY|OPTIONAL)\b")
LEVELS = ("MUST", "SHOULD", "MAY")
SAME_LEVEL = {"SHALL": "MUST", "REQUIRED": "MUST", "RECOMMENDED": "SHOULD", "NOT": "SHOULD", "OPTIONAL": "MAY"}
# Made from the requirements, so their text would count twice.
NOT_READ = {"coverage.md"}


def documents():
    return [path for path in sorted(SPEC.glob("*.md")) if path.name not in NOT_READ]


def blocks(text):
    """(line, text) of each paragraph, list item and table row; code in fences is left out."""
    current, start, fenced = [], 0, False

    def finished():
        return [(start, " ".join(current))] if current else []

    for line, raw in enumerate(text.splitlines(), 1):
        stripped = raw.strip()
        if stripped.startswith("```"):
            fenced = not fenced
            continue
        if fenced:
            continue
        item = re.match(r"\s*(?:[-*]|\d+\.)\s+", raw)
        if not stripped or stripped.startswith(("#", "<!--")):
            yield from finished()
            current = []
        elif item or stripped.startswith("|"):
            yield from finished()
            current, start = [raw[item.end():].strip() if item else stripped], line
        else:
            if not current:
                start = line
            current.append(stripped)
    yield from finished()


def level_of(text):
    found = {word.split()[0] for word in KEYWORD.findall(text)}
    found = {SAME_LEVEL.get(word, word) for word in found}
    return next((level for level in LEVELS if level in found), None)


def requirements():
    """Id -> requirement, in the order of the ids."""
    found, mentioned = {}, []
    for path in documents():
        for line, block in blocks(read(path)):
            where = f"{relative(path)}:{line}"
            ids = re.findall(rf"\*\*({ID})\*\*", block)
            level = level_of(re.sub(r"`[^`]*`", "", block))
            if level and not ids:
                problem(where, f"a key word of RFC 2119 without an id: {block[:70]}")
            if len(ids) > 1:
                problem(where, f"more than one id in one paragraph: {' '.join(ids)}")
            if ids and not level:
                problem(where, f"{ids[0]} has no key word of RFC 2119")
            for name in ids[:1]:
                if name in found:
                    problem(where, f"{name} is defined in {found[name]['file']} already")
                text = re.sub(rf"^\|?\s*\*\*{ID}\*\*\s*\|?\s*", "", block)
                text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
                found[name] = {"id": name, "level": level, "file": f"spec/v1/{path.name}", "text": text.rstrip(" |")}
            mentioned += [(where, name) for name in re.findall(rf"(?<!\*)\b{ID}\b(?!\*)", block)]
        for target in re.findall(r"\]\(([^)#:]+)\)", read(path)):
            if not (path.parent / target).exists():
                problem(relative(path), f"links to {target}, which does not exist")
    for where, name in mentioned:
        if name not in found:
            problem(where, f"mentions {name}, which is not defined")
    return dict(sorted(found.items()))


def check(found, writing):
    """Ids never vanish silently: one that leaves the text has to be listed as retired first."""
    path, retired_path = SPEC / "requirements.json", SPEC / "retired-ids.txt"
    retired = set(ids_in(read(retired_path))) if retired_path.exists() else set()
    for name in sorted(retired & set(found)):
        problem(found[name]["file"], f"{name} is retired and must not be used again")
    before = {}
    if path.exists():
        before = {entry["id"] for entry in json.loads(read(path))["requirements"]}
    vanished = sorted(set(before) - set(found) - retired)
    for name in vanished:
        problem("spec/v1/retired-ids.txt", f"{name} is no longer in the text: add it here, so that it is never reused")
    text = json.dumps({"generator": "scripts/spec-check --write", "count": len(found),
                       "requirements": list(found.values())}, indent=1) + "\n"
    generated(path, text, writing and not vanished)
