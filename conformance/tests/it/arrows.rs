//! Which crate may depend on which: README.md says it, and cargo knows it.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

const README: &str = include_str!("../../../README.md");

type Arrows = BTreeMap<String, BTreeSet<String>>;

fn allowed() -> Arrows {
    let (_, table) = README.split_once("<!-- arrows -->").unwrap();
    let (table, _) = table.split_once("<!-- end -->").unwrap();
    let rows = table.trim().lines().skip(2);
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let to = cells[2].split(", ").filter(|name| !name.is_empty());
        (cells[1].to_owned(), to.map(str::to_owned).collect())
    })
    .collect()
}

/// Every crate of the workspace, with those of the workspace that it depends on to be built.
fn actual() -> Arrows {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .other_options(vec!["--offline".to_owned()])
        .exec()
        .unwrap();
    let ours = |name: &str| name.starts_with("p2claw");
    let packages = metadata.workspace_packages().into_iter();
    packages
        .map(|package| {
            let dependencies = package.dependencies.iter();
            let to = dependencies
                .filter(|dependency| dependency.kind != DependencyKind::Development)
                .filter(|dependency| ours(&dependency.name))
                .map(|dependency| dependency.name.clone());
            (package.name.to_string(), to.collect())
        })
        .collect()
}

#[test]
fn crates_depend_on_what_readme_allows() {
    let (allowed, actual) = (allowed(), actual());
    let names = |arrows: &Arrows| arrows.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&allowed), names(&actual), "crates in README.md");
    for (name, to) in &actual {
        let beyond: Vec<_> = to.difference(&allowed[name]).collect();
        assert!(beyond.is_empty(), "{name} depends on {beyond:?}");
    }
}

/// An arrow back would make a circle, which cargo allows between tests.
#[test]
fn the_table_has_no_circle() {
    let mut left = allowed();
    while !left.is_empty() {
        let free: Vec<_> = left
            .iter()
            .filter(|(_, to)| to.iter().all(|name| !left.contains_key(name)))
            .map(|(name, _)| name.clone())
            .collect();
        assert!(!free.is_empty(), "in a circle: {:?}", left.keys());
        for name in free {
            left.remove(&name);
        }
    }
}
