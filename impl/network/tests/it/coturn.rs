//! The same against coturn, where it is installed.
