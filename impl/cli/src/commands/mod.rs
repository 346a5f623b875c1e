//! One module a group of commands.

pub(crate) mod connect;
pub(crate) mod daemon;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod fetch;
pub(crate) mod identity;
pub(crate) mod pins;
pub(crate) mod routes;
pub(crate) mod services;
pub(crate) mod sessions;
pub(crate) mod visiting;

/// Name and version, as peers see it.
pub(crate) const SOFTWARE: &str = concat!("p2claw/", env!("CARGO_PKG_VERSION"));
