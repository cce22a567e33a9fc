//! Which layer may name which (ARCHITECTURE.md has the same table in words).

use std::path::Path;

use crate::support::cmd::repository;

/// What each layer may name besides itself. `run` and `main` may name everything.
const MAY_NAME: [(&str, &[&str]); 12] = [
    ("model", &[]),
    ("assess", &["model"]),
    ("report", &["model"]),
    ("store", &["model"]),
    ("ingest", &["model"]),
    ("terraform", &["model"]),
    ("http", &["model"]),
    ("collect", &["model", "http"]),
    ("probe", &["model", "http"]),
    ("cli", &["model"]),
    ("error", &[]),
    ("config", &["model", "cli", "error"]),
];

fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Names of layers after `crate::` in a text, grouped imports included.
fn named(text: &str) -> Vec<String> {
    text.match_indices("crate::")
        .flat_map(|(at, prefix)| {
            let rest = &text[at + prefix.len()..];
            let list = match rest.strip_prefix('{') {
                Some(group) => &group[..group.find(';').unwrap_or(group.len())],
                None => {
                    &rest[..rest
                        .find(|c: char| !c.is_alphanumeric() && c != '_')
                        .unwrap_or(0)]
                }
            };
            list.split(',')
                .map(|name| {
                    name.trim()
                        .chars()
                        .take_while(|c| c.is_alphanumeric() || *c == '_')
                        .collect()
                })
                .collect::<Vec<String>>()
        })
        .filter(|name| MAY_NAME.iter().any(|(layer, _)| layer == name) || name == "run")
        .collect()
}

#[test]
fn layers_name_only_what_they_may() {
    let root = repository().join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 30, "found only {} sources", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let path = file
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let layer = path
            .split('/')
            .next()
            .unwrap()
            .trim_end_matches(".rs")
            .to_owned();
        if ["lib", "main", "run"].contains(&layer.as_str()) {
            continue;
        }
        let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == layer) else {
            panic!("src/{path}: `{layer}` is in no layer of the table");
        };
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            !text.contains("super::super::"),
            "src/{path}: write `crate::` paths"
        );
        for name in named(&text) {
            if name != layer && !allowed.contains(&name.as_str()) {
                wrong.push(format!("src/{path} names `{name}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_the_table_sees_grouped_names() {
    assert_eq!(
        named("use crate::store::Store; crate::{model, run::x};"),
        ["store", "model", "run"]
    );
}

#[test]
fn every_test_file_is_in_the_binary() {
    let folder = repository().join("tests/it");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(
            module == "main" || module == "snapshots" || main.contains(&format!("mod {module};")),
            "tests/it/{name} never runs"
        );
    }
}
