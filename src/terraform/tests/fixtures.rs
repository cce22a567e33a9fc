//! Every plan under `fixtures/terraform` gives what `expected.json` says, and none is missing.

use std::collections::BTreeSet;

use super::{expected, fixture, folder, plan_of, shown};
use crate::terraform::resource::KINDS;

const ACTIONS: [&str; 6] = ["create", "no-op", "update", "delete", "replace", "forget"];
const DEPTHS: [&str; 3] = ["root", "module", "nested"];

fn files() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_type().unwrap().is_dir() {
            continue;
        }
        let name = entry.file_name().into_string().unwrap();
        for file in std::fs::read_dir(entry.path()).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            found.insert(format!("{name}/{file}"));
        }
    }
    found
}

#[test]
fn every_plan_gives_what_was_derived_by_hand() {
    let mut wrong = Vec::new();
    for (path, expected) in expected() {
        let found = shown(&plan_of(&fixture(&path)));
        if found != expected {
            wrong.push(format!("{path}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_type_has_a_plan_of_every_action_at_every_depth() {
    let files = files();
    for (resource_type, _) in KINDS {
        for action in ACTIONS {
            for depth in DEPTHS {
                let path = format!("{resource_type}/{action}-{depth}.json");
                assert!(
                    files.contains(&path),
                    "fixtures/terraform/{path} is missing"
                );
            }
        }
    }
    let table: BTreeSet<String> = expected().into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        files, table,
        "expected.json names other files than there are"
    );
}

/// A file name that lies would make the test above say more than it holds.
#[test]
fn every_plan_is_of_the_type_action_and_depth_that_it_is_called_by() {
    for (resource_type, _) in KINDS {
        for action in ACTIONS {
            for depth in DEPTHS {
                let path = format!("{resource_type}/{action}-{depth}.json");
                let document = fixture(&path);
                let row = &document["resource_changes"][0];
                assert_eq!(row["type"], resource_type, "{path}");
                let address = row["address"].as_str().unwrap();
                let modules = address.split('.').filter(|part| *part == "module").count();
                let deep = DEPTHS.iter().position(|known| *known == depth).unwrap();
                assert_eq!(
                    (modules, row["index"].is_string()),
                    (deep, deep == 2),
                    "{path}"
                );
                let words = row["change"]["actions"].as_array().unwrap();
                let has = |word: &str| words.iter().any(|found| found == word);
                assert!(
                    match action {
                        "replace" => has("delete") && has("create"),
                        other => has(other) && !(has("delete") && has("create")),
                    },
                    "{path}"
                );
            }
        }
    }
}
