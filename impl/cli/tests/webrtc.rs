//! The same list as in `it`, with webrtc-rs at both ends.

#[path = "it/main.rs"]
mod it;
