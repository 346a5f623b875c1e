//! What other implementations test themselves with.
//!
//! So far these are the [`vectors`]: examples with the right outcome, and [`sequence`], which plays
//! those that have several steps. The files are part of this crate, so a test needs no path and no
//! network:
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

pub mod sequence;
pub mod trace;
pub mod vectors;
