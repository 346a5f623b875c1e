//! What is known to fail: `conformance/known-failing` says of each what fails, for whom and why.
//! Its test asserts the failure, so that it is noticed when it heals.

use std::collections::BTreeSet;

/// webrtc-rs has no DTLS 1.3.
pub(crate) const NO_DTLS_1_3: &str = "webrtc-has-no-dtls-1.3.md";

/// Compares how something went with what is known of it, and says for scripts/tables what is known.
#[expect(
    clippy::print_stdout,
    reason = "scripts/tables reads it in nextest's report"
)]
pub(crate) fn compare(works: bool, failure: Option<&str>) {
    match failure {
        None => assert!(works, "it does not work"),
        Some(file) => {
            assert!(!works, "it works by now: remove known-failing/{file}");
            println!("known failure: {file}");
        }
    }
}

#[test]
fn every_known_failure_is_described() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/known-failing");
    let files: BTreeSet<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let known = [NO_DTLS_1_3, "README.md"];
    assert_eq!(files, known.map(str::to_owned).into());
}
