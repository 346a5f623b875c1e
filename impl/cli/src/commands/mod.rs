//! One module a group of commands.

pub(crate) mod daemon;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod identity;
pub(crate) mod routes;
pub(crate) mod services;
pub(crate) mod sessions;

/// Name and version, as peers see it.
pub(crate) const SOFTWARE: &str = concat!("p2claw/", env!("CARGO_PKG_VERSION"));
