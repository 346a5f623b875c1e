//! The files in `conformance/vectors`; their form is described in the README there.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// The only form of the files that this reader knows.
const FORMAT: u32 = 1;

/// App names, aliases, host labels, hosts.
pub const NAMES: Source = Source::new("names", include_str!("../vectors/names.json"));
/// The alias that a key asks for.
pub const ALIASES: Source = Source::new("aliases", include_str!("../vectors/aliases.json"));
/// Public keys as text.
pub const PEER_IDS: Source = Source::new("peer-ids", include_str!("../vectors/peer-ids.json"));
/// Signatures, registrations, revocations, visits.
pub const STATEMENTS: Source =
    Source::new("statements", include_str!("../vectors/statements.json"));
/// Varints, and single messages on a lane.
pub const FRAMES: Source = Source::new("frames", include_str!("../vectors/frames.json"));

/// What an end of a session does, message by message.
pub const STATE_SEQUENCES: Source = Source::new(
    "state-sequences",
    include_str!("../vectors/state-sequences.json"),
);
/// The same, about credit.
pub const FLOW_CONTROL: Source =
    Source::new("flow-control", include_str!("../vectors/flow-control.json"));
/// Close codes and reasons.
pub const WEBSOCKET_CLOSES: Source = Source::new(
    "websocket-closes",
    include_str!("../vectors/websocket-closes.json"),
);
/// Heads, trailers, and what an agent changes in them.
pub const HTTP_FIELDS: Source =
    Source::new("http-fields", include_str!("../vectors/http-fields.json"));
/// What a caller sees of a response.
pub const RESPONSE_MAPPING: Source = Source::new(
    "response-mapping",
    include_str!("../vectors/response-mapping.json"),
);
/// The visitor's cookie jar.
pub const COOKIES: Source = Source::new("cookies", include_str!("../vectors/cookies.json"));
/// Messages of signaling, links and visits.
pub const SIGNALING: Source = Source::new("signaling", include_str!("../vectors/signaling.json"));
/// Credentials for a relay.
pub const TURN_CREDENTIALS: Source = Source::new(
    "turn-credentials",
    include_str!("../vectors/turn-credentials.json"),
);

/// Every file of this form.
pub const ALL: [Source; 13] = [
    NAMES,
    ALIASES,
    PEER_IDS,
    STATEMENTS,
    FRAMES,
    STATE_SEQUENCES,
    FLOW_CONTROL,
    WEBSOCKET_CLOSES,
    HTTP_FIELDS,
    RESPONSE_MAPPING,
    COOKIES,
    SIGNALING,
    TURN_CREDENTIALS,
];

/// The text of one file.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    name: &'static str,
    text: &'static str,
}

/// Why a file or a case cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VectorError {
    /// The file is not of the form that this reader knows.
    #[error("read the vectors {file}: {reason}")]
    File {
        /// Name of the file.
        file: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// There is no such group in the file.
    #[error("find the group {0:?}: the file has none of this type")]
    Group(String),
    /// A value of a case is absent or of another type.
    #[error("read {value:?} of case {case}: {reason}")]
    Value {
        /// Id of the case.
        case: String,
        /// Name of the value.
        value: String,
        /// What is wrong.
        reason: String,
    },
}

impl Source {
    const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text }
    }

    /// The file's name, without its ending.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Reads the file, and makes sure that none of its cases got lost.
    ///
    /// # Errors
    /// When the file is of another form, or has another number of cases than it says.
    pub fn read(self) -> Result<File, VectorError> {
        let bad = |reason: String| VectorError::File {
            file: self.name,
            reason,
        };
        let file: File = serde_json::from_str(self.text).map_err(|error| bad(error.to_string()))?;
        if file.format != FORMAT {
            return Err(bad(format!("it has format {}, not {FORMAT}", file.format)));
        }
        let found: usize = file.groups.iter().map(|group| group.cases.len()).sum();
        if found != file.count {
            return Err(bad(format!("it has {found} cases, not {}", file.count)));
        }
        Ok(file)
    }
}

/// One file.
#[derive(Debug, Clone, Deserialize)]
pub struct File {
    /// Name of the file, without its ending.
    pub vectors: String,
    /// Version of the specification.
    pub spec: String,
    format: u32,
    /// How many cases there are in all groups.
    pub count: usize,
    /// Cases that are alike.
    pub groups: Vec<Group>,
}

impl File {
    /// The cases of the group of this type.
    ///
    /// # Errors
    /// When the file has no such group.
    pub fn cases(&self, kind: &str) -> Result<&[Case], VectorError> {
        let group = self.groups.iter().find(|group| group.kind == kind);
        let group = group.ok_or_else(|| VectorError::Group(kind.to_owned()))?;
        Ok(&group.cases)
    }
}

/// Cases that are read in the same way.
#[derive(Debug, Clone, Deserialize)]
pub struct Group {
    /// What they are about.
    #[serde(rename = "type")]
    pub kind: String,
    /// The cases.
    pub cases: Vec<Case>,
}

/// What an implementation does with the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// Takes it.
    Valid,
    /// Refuses it.
    Invalid,
    /// May do either; it only has to survive.
    Acceptable,
}

/// One example.
#[derive(Debug, Clone, Deserialize)]
pub struct Case {
    /// Unique in the file, and stays with the case.
    pub id: String,
    /// What is special about it, for people.
    pub comment: String,
    result: Expected,
    /// What of the specification it is about.
    pub req: Vec<String>,
    /// What is special about how it is judged; the file says what they mean.
    pub flags: Vec<String>,
    input: Value,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Case {
    /// What an implementation has to do.
    #[must_use]
    pub const fn expected(&self) -> Expected {
        self.result
    }

    /// The input, in the type that its group has.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, VectorError> {
        self.convert("input", &self.input)
    }

    /// A value to compare, which has to be there.
    ///
    /// # Errors
    /// When the case has no such value, or one of another type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, VectorError> {
        self.convert(name, self.rest.get(name).unwrap_or(&Value::Null))
    }

    /// Whether there is a value of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.rest.contains_key(name)
    }

    fn convert<T: DeserializeOwned>(&self, name: &str, value: &Value) -> Result<T, VectorError> {
        T::deserialize(value).map_err(|error| VectorError::Value {
            case: self.id.clone(),
            value: name.to_owned(),
            reason: error.to_string(),
        })
    }
}

/// Bytes of which the end is the same thing many times over.
#[derive(Debug, Clone, Deserialize)]
pub struct Long {
    hex: Hex,
    then: Option<Then>,
}

/// What comes behind the bytes, and how often.
#[derive(Debug, Clone, Deserialize)]
struct Then {
    hex: Hex,
    times: usize,
}

impl Long {
    /// All of the bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.hex.0.clone();
        if let Some(then) = &self.then {
            bytes.extend(then.hex.0.repeat(then.times));
        }
        bytes
    }
}

/// Bytes that stand in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes());
        bytes.map(Self).map_err(serde::de::Error::custom)
    }
}
