//! p2claw-benches.
