//! What other implementations test themselves with.
//!
//! - [`vectors`]: examples with the right outcome, and a reader for them.
//! - [`sequence`]: plays those that have several steps against an end of a session, for which a
//!   test writes a [`sequence::End`].
//! - [`trace`]: whole runs of the reference implementations, message by message, to compare an own
//!   run with.
//! - [`jar`]: the jar of cookies that a visitor keeps, to hold the one of a client against.
//! - [`coturn`]: a TURN server of the field, started for one test.
//!
//! The files are part of this crate, so a test needs no path and no network:
//!
//! ```
//! use p2claw_conformance::vectors::{self, Expected};
//!
//! let file = vectors::NAMES.read()?;
//! for case in file.cases("app-name")? {
//!     let name: String = case.input()?;
//!     let accepted = !name.is_empty(); // your implementation here
//!     if case.expected() == Expected::Invalid && name.is_empty() {
//!         assert!(!accepted, "{}", case.id);
//!     }
//! }
//! # Ok::<(), vectors::VectorError>(())
//! ```

pub mod coturn;
pub mod jar;
pub mod sequence;
pub mod trace;
pub mod vectors;
