use std::fmt;

/// Request target in origin-form: a path with an optional query, or `*` for OPTIONS (SES-034).
///
/// It is never a whole URI: whoever forwards it joins it to an upstream's address from parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(String);

/// Why a target is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Absolute-form, authority-form, `@host/` or nothing at all.
    #[error("the target does not start with `/`")]
    NotOriginForm,
    /// Something else could read what follows as a host.
    #[error("the target starts with `//`")]
    DoubleSlash,
    /// A space, a control character or a byte that is not ASCII.
    #[error("the target has a byte outside 0x21..0x7e")]
    Byte,
    /// Fragments stay in the browser.
    #[error("the target has a fragment")]
    Fragment,
}

impl Target {
    /// Checks a target.
    pub fn parse(target: &str) -> Result<Self, TargetError> {
        Self::try_from(target.to_owned())
    }

    /// The target as it stands in the request.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `*`, which only OPTIONS has.
    pub fn is_asterisk(&self) -> bool {
        self.0 == "*"
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;

    fn try_from(target: String) -> Result<Self, TargetError> {
        if target == "*" {
            return Ok(Self(target));
        }
        if !target.starts_with('/') {
            return Err(TargetError::NotOriginForm);
        }
        if target.starts_with("//") {
            return Err(TargetError::DoubleSlash);
        }
        if target.contains('#') {
            return Err(TargetError::Fragment);
        }
        if !target.bytes().all(|byte| matches!(byte, 0x21..=0x7e)) {
            return Err(TargetError::Byte);
        }
        Ok(Self(target))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
