"""Makes the constants of the code from the registries, so that no number is written twice."""
import json

from .files import ROOT, generated, problem, read, relative
from .limits import ids_of, milliseconds, named
from .registries import number

HEADER = "Generated from spec/registries by `python3 scripts/spec-check --write`; do not edit."
RUST = ROOT / "impl/session/src/registry.rs"
RUST_SIGNALING = ROOT / "impl/signaling/src/registry.rs"
# Areas of limits -> the crate that knows them; the client alone knows those of the browser.
RUST_LIMITS = {
    ("names", "identity"): ROOT / "impl/identity/src/registry.rs",
    ("session",): RUST,
    ("signaling",): RUST_SIGNALING,
    ("webrtc",): ROOT / "impl/agent/src/registry.rs",
}
RUST_FILES = tuple(RUST_LIMITS.values())
PROTO = ROOT / "proto/p2claw/v1/signaling.proto"
TYPESCRIPT = ROOT / "impl/browser/src/codec/registry.ts"
UNBOUNDED = 2**64 - 1
FAULTS = {"self": "Own"}
# Settings that the Rust engine keeps in another type than u64. Their bounds fit.
RUST_TYPES = {"max_frame": "usize", "lanes": "u8"}
# Limits that are no usize; times are a Duration, or milliseconds where a statement has them too.
RUST_LIMIT_TYPES = {
    "u8": ("interim_max", "lanes_made", "pings_max"),
    "u32": ("detour_repeats", "link_burst", "link_per_second", "load_burst", "load_frame", "load_per_second", "load_stream",
            "missed_heartbeats", "restart_burst"),
    "u64": ("load_credit_bytes",),
    "i64": ("clock_skew", "statement_lifetime"),
}


def check(registries, writing):
    generated(RUST, rust(registries), writing)
    generated(RUST_SIGNALING, rust_signaling(registries), writing)
    for areas, path in RUST_LIMITS.items():
        if path not in (RUST, RUST_SIGNALING):
            head = f"//! The numbers of `spec/registries/limits.csv` that this crate keeps to.\n//!\n//! {HEADER}\n"
            generated(path, f"{head}\n{rust_limits(registries['limits'], areas)}", writing)
    generated(TYPESCRIPT, typescript(registries), writing)
    check_proto(registries["signal-codes"], writing)


def check_proto(rows, writing):
    """The enum of the signal codes stands between two markers in a file that is written by hand."""
    first, last = f"// {HEADER}\n", "// End of what is generated.\n"
    before, found, rest = read(PROTO).partition(first)
    _, ended, after = rest.partition(last)
    if not found or not ended:
        problem(relative(PROTO), "has lost the comments between which its signal codes are made")
        return
    entries = "".join(f"  // {sentence(row['meaning'])}\n  SIGNAL_CODE_{row['name']} = {row['code']};\n" for row in rows)
    text = ("// Why something was refused or ended. Registry: spec/registries/signal-codes.csv.\n"
            f"enum SignalCode {{\n{entries}}}\n")
    generated(PROTO, f"{before}{first}\n{text}\n{last}{after}", writing)


def pascal(name, payload=None):
    """WS_TEXT becomes WsText. The message of a frame knows better where words end: GOAWAY, GoAway."""
    if payload and payload.lower() == name.replace("_", "").lower():
        return payload
    return "".join(part.capitalize() for part in name.split("_"))


def camel(name):
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def sentence(text):
    return text[0].upper() + text[1:] + "."


def grouped(value):
    return f"{value:_}"


def grease(registries):
    row = next(row for row in registries["ranges"] if row["kind"] == "grease")
    return number(row["first"]), number(row["step"])


def limit_name(row):
    """The name of the constant: milliseconds say so, for a number does not."""
    return row["name"].upper() + ("_MS" if milliseconds(row) else "")


def limit_doc(row):
    """What the number is, in what, and which sentences fix it."""
    what = row["what"]
    unit = row["unit"] if row["unit"] in ("bytes", "characters") else "milliseconds" if milliseconds(row) else ""
    if what.startswith(unit):
        unit = ""
    ids = ", ".join(sorted(ids_of(row)))
    return what[0].upper() + what[1:], unit, f" ({ids})" if ids else ""


def beyond_core(registries, name):
    """First and last number of a registry that are not the specification's."""
    rows = [row for row in registries["ranges"] if row["registry"] == name and row["kind"] not in ("core", "grease")]
    return min(number(row["first"]) for row in rows), max(number(row["last"]) for row in rows)


def limit_doc_line(row):
    what, unit, ids = limit_doc(row)
    return f"{what}{unit and f', in {unit}'}{ids}."


def limit_value(row):
    return grouped(milliseconds(row) or number(row["value"]))


# --- Rust -----------------------------------------------------------------------------------

def rust_list(head, items, indent):
    """An array as rustfmt breaks it: on one line while that is at most 60 characters, else one item a line."""
    one_line = ", ".join(items)
    if len(one_line) + 2 <= 60 and len(indent + head + one_line) + 3 <= 100:
        return f"{indent}{head}[{one_line}];"
    return f"{indent}{head}[\n" + "".join(f"{indent}    {item},\n" for item in items) + f"{indent}];"


def rust(registries):
    parts = [
        f"//! The numbers of `spec/registries`, and their names.\n//!\n//! {HEADER}\n",
        "use crate::error::{ErrorCode, Fault};\n",
        *rust_grease(registries),
        rust_frame_types(registries["frame-types"]),
        rust_error_codes(registries["error-codes"]),
        rust_settings(registries["settings"]),
        rust_close_codes(registries["close-codes"], beyond_core(registries, "close-codes")),
        rust_limits(registries["limits"], ("session",)),
    ]
    return "\n".join(parts)


def rust_limits(rows, areas):
    types = {name: kind for kind, names in RUST_LIMIT_TYPES.items() for name in names}
    lines = []
    for area in areas:
        for row in named(rows, area):
            what, unit, ids = limit_doc(row)
            name, value, kind = row["name"].upper(), grouped(number(row["value"])), types.get(row["name"], "usize")
            if milliseconds(row) and kind == "i64":
                name, value = limit_name(row), grouped(milliseconds(row))
            elif milliseconds(row):
                unit, kind, value = "", "Duration", rust_duration(row)
            lines += [f"    /// {what}{unit and f', in {unit}'}{ids}.", f"    pub const {name}: {kind} = {value};"]
    imported = ["    use std::time::Duration;", ""] if any("Duration::" in line for line in lines) else []
    return "\n".join(["/// Numbers that the text fixes; registry `spec/registries/limits.csv`.", "pub mod limit {",
                      *imported, *lines, "}"]) + "\n"


def rust_const(head, value, indent):
    """A constant as rustfmt breaks it."""
    one_line = f"{indent}{head} {value}"
    return [one_line] if len(one_line) <= 100 else [indent + head, f"{indent}    {value}"]


def rust_duration(row):
    time = milliseconds(row)
    return f"Duration::from_secs({grouped(time // 1_000)})" if time % 1_000 == 0 else f"Duration::from_millis({grouped(time)})"


def rust_grease(registries):
    first, step = grease(registries)
    return [
        f"/// The lowest number of grease; such numbers stand for nothing (VER-020).\npub const GREASE_FIRST: u64 = {first:#04x};\n",
        f"/// The distance from one number of grease to the next.\npub const GREASE_STEP: u64 = {step:#04x};\n",
    ]


def rust_signaling(registries):
    codes = registries["signal-codes"]
    statuses = [f"        SignalCode::{pascal(row['name'])} => "
                + (f"Some({row['http_status']})," if row["http_status"] != "-" else "None,") for row in codes]
    errors = []
    for by in dict.fromkeys(row["by"] for row in registries["http-errors"]):
        errors += [f"    /// Those of the {by}.", f"    pub mod {by} {{", "        use crate::code::HttpError;", ""]
        for row in registries["http-errors"]:
            if row["by"] == by:
                errors.append(f"        /// {sentence(row['meaning'])}")
                errors += rust_const(f"pub const {row['name']}: HttpError =", f"HttpError::new(\"{row['name']}\", {row['status']});", "        ")
        errors.append("    }")
    return "\n".join([
        f"//! The numbers of `spec/registries` that signaling and gateways use, and their names.\n//!\n//! {HEADER}\n",
        "use p2claw_proto::v1::SignalCode;\n",
        *rust_grease(registries),
        "/// The HTTP status of a signal code; registry `spec/registries/signal-codes.csv`.",
        "#[must_use]",
        "pub const fn http_status(code: SignalCode) -> Option<u16> {",
        "    match code {",
        *statuses,
        "    }",
        "}",
        "",
        "/// Values of the field `p2claw-error`; registry `spec/registries/http-errors.csv`.",
        "pub mod http_error {",
        *errors,
        "}",
        "",
        rust_limits(registries["limits"], ("signaling",)),
    ])


def rust_frame_types(rows):
    types = [(pascal(row["name"], row["payload"]), row["name"], row["type"], sentence(row["meaning"])) for row in rows]
    lines = [
        "/// A frame type of the registry `spec/registries/frame-types.csv`.",
        "#[derive(Clone, Copy, Debug, PartialEq, Eq)]",
        "pub enum FrameType {",
        *(f"    /// {meaning}\n    {variant}," for variant, _, _, meaning in types),
        "}",
        "",
        "impl FrameType {",
        "    /// Every registered type, in the order of the registry.",
        rust_list("pub const ALL: &'static [Self] = &", [f"Self::{variant}" for variant, *_ in types], "    "),
        "",
        "    /// The type with this number, `None` if it is not registered.",
        "    pub const fn from_wire(value: u64) -> Option<Self> {",
        "        match value {",
        *(f"            {value} => Some(Self::{variant})," for variant, _, value, _ in types),
        "            _ => None,",
        "        }",
        "    }",
        "",
        "    /// The number on the wire.",
        "    pub const fn wire(self) -> u64 {",
        "        match self {",
        *(f"            Self::{variant} => {value}," for variant, _, value, _ in types),
        "        }",
        "    }",
        "",
        "    /// The name in the registry.",
        "    pub const fn name(self) -> &'static str {",
        "        match self {",
        *(f"            Self::{variant} => \"{name}\"," for variant, name, _, _ in types),
        "        }",
        "    }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def rust_error_codes(rows):
    faults = {}
    for row in rows:
        faults.setdefault(FAULTS.get(row["fault"], row["fault"].capitalize()), []).append(row["name"])
    lines = [
        "impl ErrorCode {",
        *(f"    /// {sentence(row['meaning'])}\n    pub const {row['name']}: Self = Self::new({row['code']});" for row in rows),
        "",
        "    /// Every registered code, in the order of the registry.",
        rust_list("pub const REGISTERED: &'static [Self] = &", [f"Self::{row['name']}" for row in rows], "    "),
        "",
        "    /// The registry's name, `UNKNOWN` for a code that is not in it.",
        "    pub const fn name(self) -> &'static str {",
        "        match self {",
        *(f"            Self::{row['name']} => \"{row['name']}\"," for row in rows),
        "            _ => \"UNKNOWN\",",
        "        }",
        "    }",
        "",
        "    /// Whose fault it is, seen from the end that sent the code.",
        "    pub const fn fault(self) -> Fault {",
        "        match self {",
        *(f"            Self::{row['name']} => Fault::{FAULTS.get(row['fault'], row['fault'].capitalize())}," for row in rows),
        "            // An unknown code counts as INTERNAL (VER-015).",
        "            _ => Fault::Own,",
        "        }",
        "    }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def rust_settings(rows):
    def value(row, column):
        return "u64::MAX" if number(row[column]) == UNBOUNDED else grouped(number(row[column]))

    lines = ["/// Settings of a HELLO; registry `spec/registries/settings.csv`.", "pub mod setting {"]
    for row in rows:
        kind = RUST_TYPES.get(row["name"], "u64")
        unit = f", in {row['unit']}" if row["unit"] != "bit mask" else ", a bit mask"
        lines += [
            "" if row is not rows[0] else None,
            f"    /// {sentence(row['meaning'])}",
            f"    pub mod {row['name']} {{",
            "        /// The setting's number.",
            f"        pub const ID: u64 = {row['id']};",
            f"        /// What holds without the setting{unit}.",
            f"        pub const DEFAULT: {kind} = {value(row, 'default')};",
            "        /// The lowest value allowed.",
            f"        pub const MIN: {kind} = {value(row, 'min')};",
            "        /// The highest value allowed.",
            f"        pub const MAX: {kind} = {value(row, 'max')};",
            "    }",
        ]
    return "\n".join(line for line in [*lines, "}"] if line is not None) + "\n"


def rust_close_codes(rows, others):
    first, last = others
    lines = [
        "/// Close codes of a WebSocket; registry `spec/registries/close-codes.csv`.",
        "pub mod close_code {",
        "    use std::ops::RangeInclusive;",
        "",
        *(f"    /// {sentence(row['meaning'])}\n    pub const {row['name']}: u16 = {row['code']};" for row in rows),
        "",
        "    /// The codes that are sent; the others only tell an application what happened (WSK-020).",
        rust_list("pub const TRAVEL: &[u16] = &", [row["name"] for row in rows if row["travels"] == "yes"], "    "),
        "",
        "    /// Codes of libraries and applications, which travel as well (WSK-020).",
        f"    pub const OTHERS: RangeInclusive<u16> = {grouped(first)}..={grouped(last)};",
        "}",
    ]
    return "\n".join(lines) + "\n"


# --- TypeScript -----------------------------------------------------------------------------

def typescript(registries):
    first, step = grease(registries)

    def enumeration(doc, name, rows, key):
        entries = "".join(f"  /** {sentence(row['meaning'])} */\n  {row['name']}: {row[key]},\n" for row in rows)
        return f"/** {doc} */\nexport const {name} = {{\n{entries}}} as const;\n"

    def wrapped(words):
        lines, line = [], ""
        for word in words:
            quoted = json.dumps(word) + ","
            if len(line) + len(quoted) + 3 > 110:
                lines.append(line)
                line = ""
            line += (" " if line else "") + quoted
        return "".join(f"  {line}\n" for line in [*lines, line])

    def value(row, column):
        return "Infinity" if number(row[column]) == UNBOUNDED else grouped(number(row[column]))

    settings = "".join(
        f"  /** {sentence(row['meaning'])} */\n"
        f"  {camel(row['name'])}: {{ id: {row['id']}, default: {value(row, 'default')}, min: {value(row, 'min')}, "
        f"max: {value(row, 'max')} }},\n"
        for row in registries["settings"])
    codes = sorted(registries["signal-codes"], key=lambda row: number(row["code"]))
    by_number = [""] * (number(codes[-1]["code"]) + 1)
    for row in codes:
        by_number[number(row["code"])] = row["name"]
    others = beyond_core(registries, "close-codes")
    travelling = ", ".join(row["code"] for row in registries["close-codes"] if row["travels"] == "yes")
    return "\n".join([
        f"/** The numbers of spec/registries, and their names. {HEADER} */\n",
        enumeration("Frame types.", "FrameType", registries["frame-types"], "type"),
        enumeration("Codes of RESET, STOP and GOAWAY.", "ErrorCode", registries["error-codes"], "code"),
        f"/** Settings of a HELLO. A `max` of Infinity is that of the 64 bits on the wire. */\nexport const SETTINGS = {{\n{settings}}} as const;\n",
        typescript_enum("Close codes of a WebSocket.", "CloseCode", registries["close-codes"]),
        f"/** The close codes that are sent; the others only tell an application what happened (WSK-020). */\nexport const TRAVELLING: readonly number[] = [{travelling}];\n",
        "/** Codes of libraries and applications, which travel as well (WSK-020). */\n"
        f"export enum OtherCloseCode {{\n  MIN = {grouped(others[0])},\n  MAX = {grouped(others[1])},\n}}\n",
        "/* Values of the field `p2claw-error`, with their status. */",
        *(f"/** {sentence(row['meaning'])} */\n"
          f"export const HTTP_{row['name']} = {{ name: \"{row['name']}\", status: {row['status']} }} as const;"
          for row in registries["http-errors"]),
        "",
        f"/** Names of signal codes, by number. */\nexport const SIGNAL_CODES = [\n{wrapped(by_number)}] as const;\n",
        f"/** Names that no app may have. */\nexport const RESERVED_NAMES = [\n{wrapped(row['name'] for row in registries['reserved-names'])}] as const;\n",
        typescript_enum("Numbers that the text fixes.", "Limit", named(registries["limits"]), limit_doc_line, limit_name, limit_value),
        f"/** Grease: the numbers `GREASE_FIRST + n * GREASE_STEP` stand for nothing (VER-020). */\nexport const GREASE_FIRST = {first:#04x};\nexport const GREASE_STEP = {step:#04x};\n",
    ])


def typescript_enum(doc, name, rows, doc_of=lambda row: sentence(row["meaning"]), name_of=lambda row: row["name"],
                    value_of=lambda row: row["code"]):
    """An enum: the build puts its numbers where they are used, and leaves the rest out."""
    entries = "".join(f"  /** {doc_of(row)} */\n  {name_of(row)} = {value_of(row)},\n" for row in rows)
    return f"/** {doc} */\nexport enum {name} {{\n{entries}}}\n"
