"""Holds a file to schema.json, and to what a schema cannot say."""
import json
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
SPEC = HERE.parent.parent / "spec" / "v1"
TYPES = {"string": str, "object": dict, "array": list, "integer": int}
# What `faults` understands; a schema that says more would be checked in part only.
KNOWN = {
    "$schema", "$defs", "$ref", "title", "description", "type", "required", "properties", "additionalProperties", "propertyNames", "pattern",
    "const", "enum", "minimum", "minItems", "minLength", "uniqueItems", "items", "dependentRequired", "if", "then",
}


def faults(value, schema, root, where=""):
    """What is wrong with a value, one text for each fault. The part of JSON Schema that schema.json uses."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if set(schema) - KNOWN:
        raise SystemExit(f"schema.json uses {', '.join(sorted(set(schema) - KNOWN))}: teach form.py to check that")
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(isinstance(value, TYPES[one]) and not isinstance(value, bool) for one in types):
        yield f"{where or 'the file'} is no {' or '.join(types)}"
        return
    if "const" in schema and (value != schema["const"] or type(value) is not type(schema["const"])):
        yield f"{where} is {value!r}, and not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}, and none of {', '.join(schema['enum'])}"
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0) or not re.search(schema.get("pattern", ""), value):
            yield f"{where} is {value!r}, which is not of the right form"
    elif isinstance(value, int):
        if value < schema.get("minimum", value):
            yield f"{where} is {value}, and too low"
    elif isinstance(value, list):
        yield from faults_of_list(value, schema, root, where)
    elif isinstance(value, dict):
        yield from faults_of_object(value, schema, root, where)
    if "if" in schema and not list(faults(value, schema["if"], root, where)):
        yield from faults(value, schema["then"], root, where)


def faults_of_list(value, schema, root, where):
    if len(value) < schema.get("minItems", 0):
        yield f"{where} has too few entries"
    if schema.get("uniqueItems") and any(value.count(one) > 1 for one in value):
        yield f"{where} has an entry twice"
    for index, one in enumerate(value):
        name = one["id"] if isinstance(one, dict) and isinstance(one.get("id"), str) else index
        yield from faults(one, schema.get("items", {}), root, f"{where}[{name}]")


def faults_of_object(value, schema, root, where):
    given = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where or 'the file'} has no {name!r}"
    for name, others in schema.get("dependentRequired", {}).items():
        for other in others if name in value else ():
            if other not in value:
                yield f"{where} has {name!r} but no {other!r}"
    rest = schema.get("additionalProperties", True)
    for name, one in value.items():
        inner = f"{where}.{name}" if where else name
        yield from faults(name, schema.get("propertyNames", {}), root, f"the name {inner}")
        if name in given:
            yield from faults(one, given[name], root, inner)
        elif rest is False:
            yield f"{inner} is not in the form"
        elif rest is not True:
            yield from faults(one, rest, root, inner)


def permissions():
    """Ids of the requirements that leave something open: those with a MAY."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(SPEC.glob("*.md"))]
    lines = [line for text in texts for line in text.splitlines()]
    found = (re.match(r"(?:- )?\*\*([A-Z]{3}-\d{3})\*\*(.*)", line) for line in lines)
    return {match[1] for match in found if match and re.search(r"\bMAY\b", match[2])}


def check(files):
    """Faults of all files of the form: name -> content."""
    schema = json.loads((HERE / "schema.json").read_text(encoding="utf-8"))
    allowed, kinds = permissions(), {}
    for name, file in files.items():
        found = list(faults(file, schema, schema))
        # What follows needs the form.
        found = found or list(beyond(name, file, allowed))
        yield from (f"{name}: {fault}" for fault in found)
        for group in file["groups"] if not found else ():
            if group["type"] in kinds:
                yield f"{name}: groups of type {group['type']} are in {kinds[group['type']]} as well"
            kinds[group["type"]] = name


def beyond(name, file, allowed):
    if file["vectors"] + ".json" != name:
        yield f"it says that it is {file['vectors']}"
    cases = [case for group in file["groups"] for case in group["cases"]]
    if len(cases) != file["count"]:
        yield f"it has {len(cases)} cases, and says {file['count']}"
    seen, used = set(), set()
    for case in cases:
        if case["id"] in seen:
            yield f"id {case['id']} twice"
        seen.add(case["id"])
        used |= set(case["flags"])
        named = {one for flag in case["flags"] for one in re.findall(r"[A-Z]{3}-\d{3}", file["flags"].get(flag, ""))}
        if case["result"] == "acceptable" and not named & allowed:
            yield f"{case['id']} is acceptable, but no flag of it names a requirement with MAY"
    for flag in sorted(used - set(file["flags"])):
        yield f"the flag {flag} is not explained"
    for flag in sorted(set(file["flags"]) - used):
        yield f"the flag {flag} is explained, but no case has it"
