//! The corpus through the functions that the fuzzers call, on an ordinary build.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use p2claw_fuzz::{TARGETS, Target};

/// The jar of the browser is fuzzed in node, which replays its own folder.
const JAR: &str = "jar";

fn fuzz() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files and folders of a folder, by name.
fn entries(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let found = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    found.collect()
}

fn replay(name: &str) {
    let target: &Target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let folder = fuzz().join("corpus").join(name);
    let files = entries(&folder);
    assert!(files.len() >= 5, "{name} has {} seeds", files.len());
    for file in files {
        let input = fs::read(folder.join(&file)).unwrap();
        // Shown when it panics.
        eprintln!("{name}/{file}");
        (target.run)(&input);
        // What is cut off is an input as well.
        (target.run)(&input[..input.len() / 2]);
    }
}

macro_rules! replays {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        const REPLAYED: &[&str] = &[$(stringify!($name)),*];
    };
}

replays!(cookies frames labels local_api names sdp session_ops signaling);

/// A target that is added is replayed, has a program and a corpus, and scripts/fuzz runs it.
#[test]
fn every_target_is_everywhere() {
    let targets: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    let replayed: BTreeSet<String> = REPLAYED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(replayed, targets);
    let programs = entries(&fuzz().join("targets/src/bin"));
    let programs = programs
        .iter()
        .map(|name| name.trim_end_matches(".rs").to_owned());
    assert_eq!(programs.collect::<BTreeSet<_>>(), targets);
    let mut corpora = entries(&fuzz().join("corpus"));
    assert!(corpora.remove(JAR));
    assert_eq!(corpora, targets);
    let script = fs::read_to_string(fuzz().join("../scripts/fuzz")).unwrap();
    let line = script
        .lines()
        .find_map(|line| line.strip_prefix("rust_targets=("))
        .unwrap();
    let listed = line.trim_end_matches(')').split(' ').map(str::to_owned);
    assert_eq!(listed.collect::<BTreeSet<_>>(), targets);
}
