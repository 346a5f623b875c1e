//! p2claw-coord.
