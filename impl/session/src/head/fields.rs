use bytes::Bytes;
use p2claw_proto::v1 as proto;

use super::is_token_byte;
use crate::limits::FIELDS_MAX;

/// Fields of a head or of trailers, in order; every one of them keeps the rules (SES-030 to SES-032).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, Bytes)>);

/// Why a field is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Not a token, or not lower case.
    #[error("a field name is no lower-case token")]
    Name,
    /// The field means something to one connection only (SES-031).
    #[error("`{0}` belongs to one connection")]
    HopByHop(String),
    /// CR, LF, NUL, or a space at one end (SES-032).
    #[error("the value of `{0}` has a forbidden byte or a space at one end")]
    Value(String),
    /// More than [`FIELDS_MAX`].
    #[error("there are more than {FIELDS_MAX} fields")]
    TooMany,
    /// Not a number, or two different ones (SES-037).
    #[error("content-length is no single number")]
    ContentLength,
    /// The agent knows the host by the address that was visited (SES-035).
    #[error("`{0}` does not belong here")]
    Misplaced(String),
}

impl Fields {
    /// No fields.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends one field.
    pub fn push(
        &mut self,
        name: impl Into<String>,
        value: impl Into<Bytes>,
    ) -> Result<(), FieldError> {
        let (name, value) = (name.into(), value.into());
        if self.0.len() >= FIELDS_MAX {
            return Err(FieldError::TooMany);
        }
        check_name(&name, &value)?;
        if !is_value(&value) {
            return Err(FieldError::Value(name));
        }
        self.0.push((name, value));
        Ok(())
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Bytes)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Value of the first field with this lower-case name.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// Values of all fields with this lower-case name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        self.iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number in `content-length`; repeated equal ones count as one (RFC 9110 section 8.6).
    pub fn content_length(&self) -> Result<Option<u64>, FieldError> {
        let mut length = None;
        for value in self.get_all("content-length") {
            let digits = std::str::from_utf8(value).ok();
            let number = digits
                .filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|digits| digits.parse::<u64>().ok())
                .ok_or(FieldError::ContentLength)?;
            if length.is_some_and(|before| before != number) {
                return Err(FieldError::ContentLength);
            }
            length = Some(number);
        }
        Ok(length)
    }

    /// Refuses a field that has no place in this kind of section.
    pub(crate) fn forbid(&self, name: &str) -> Result<(), FieldError> {
        match self.get(name) {
            Some(_) => Err(FieldError::Misplaced(name.to_owned())),
            None => Ok(()),
        }
    }

    pub(crate) fn from_wire(fields: Vec<proto::Field>) -> Result<Self, FieldError> {
        if fields.len() > FIELDS_MAX {
            return Err(FieldError::TooMany);
        }
        let mut list = Self(Vec::with_capacity(fields.len()));
        for field in fields {
            list.push(field.name, field.value)?;
        }
        Ok(list)
    }

    pub(crate) fn into_wire(self) -> Vec<proto::Field> {
        self.0
            .into_iter()
            .map(|(name, value)| proto::Field { name, value })
            .collect()
    }
}

impl IntoIterator for Fields {
    type Item = (String, Bytes);
    type IntoIter = std::vec::IntoIter<(String, Bytes)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

fn check_name(name: &str, value: &[u8]) -> Result<(), FieldError> {
    let valid = |byte: u8| is_token_byte(byte) && !byte.is_ascii_uppercase();
    if name.is_empty() || !name.bytes().all(valid) {
        return Err(FieldError::Name);
    }
    // RFC 9113 section 8.2.2.
    let hop_by_hop = match name {
        "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade" => true,
        "te" => !value.eq_ignore_ascii_case(b"trailers"),
        _ => false,
    };
    if hop_by_hop {
        return Err(FieldError::HopByHop(name.to_owned()));
    }
    Ok(())
}

fn is_value(value: &[u8]) -> bool {
    let space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
        && !space(value.first())
        && !space(value.last())
}
