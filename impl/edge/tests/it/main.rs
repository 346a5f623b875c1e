//! The edge over real sockets, in front of a coord that does what the tests tell it.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod coord;
mod edge;
mod forwarding;
mod pages;
mod tls;
