//! p2claw-conformance.
