//! The checked-in Rust equals what the `.proto` files generate.
//!
//! `P2CLAW_REGENERATE=1 cargo test -p p2claw-proto` writes it anew.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;

#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["p2claw/v1/signaling.proto", "p2claw/v1/session.proto"];
    let descriptors = protox::compile(files, [root]).unwrap();
    let out = tempfile::tempdir().unwrap();
    prost_build::Config::new()
        .bytes(["."])
        .out_dir(out.path())
        .compile_fds(descriptors)
        .unwrap();
    let fresh = std::fs::read_to_string(out.path().join("p2claw.v1.rs")).unwrap();
    let kept_path = root.join("src/gen/p2claw.v1.rs");
    if std::env::var_os("P2CLAW_REGENERATE").is_some() {
        std::fs::write(&kept_path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&kept_path).unwrap_or_default();
    assert!(
        fresh == kept,
        "proto/src/gen is stale; run: P2CLAW_REGENERATE=1 cargo test -p p2claw-proto"
    );
}
