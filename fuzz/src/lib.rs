//! What the fuzzers do with an input: one function for each target, from bytes to nothing.
//!
//! A function panics when a promise is broken. The programs in `fuzz/targets` hand them what
//! libFuzzer makes up; the test of this crate replays the files in `fuzz/corpus`.
//!
//! ```
//! for target in p2claw_fuzz::TARGETS {
//!     (target.run)(b"any bytes will do");
//! }
//! ```
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a fuzz target stops at the first surprise, and looks at some variants only"
)]

pub mod cookies;
pub mod frames;
mod grammar;
pub mod labels;
pub mod local_api;
pub mod names;
pub mod sdp;
pub mod session_ops;
pub mod signaling;

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: of its program, its corpus and its module.
    pub name: &'static str,
    /// Takes one input, and panics when a promise is broken.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "cookies",
        run: cookies::run,
    },
    Target {
        name: "frames",
        run: frames::run,
    },
    Target {
        name: "labels",
        run: labels::run,
    },
    Target {
        name: "local_api",
        run: local_api::run,
    },
    Target {
        name: "names",
        run: names::run,
    },
    Target {
        name: "sdp",
        run: sdp::run,
    },
    Target {
        name: "session_ops",
        run: session_ops::run,
    },
    Target {
        name: "signaling",
        run: signaling::run,
    },
];
