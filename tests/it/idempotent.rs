//! What is ingested twice, or in another order, or in parts, leaves the same store behind.

use std::process::Stdio;

use crate::support::cmd::{Place, fixture};
use crate::support::evidence::{self, CHECK_AS_OF, HELD, SAFE, UNKNOWN, write_bundle};
use crate::support::stored::{self, Stored};

const DEMO_AS_OF: &str = "2026-11-01T06:00:00Z";

fn ingest(place: &Place, paths: &[&str]) -> i32 {
    let words: Vec<&str> = ["ingest"]
        .into_iter()
        .chain(paths.iter().copied())
        .collect();
    let ran = place.run(&words);
    assert!(ran.code == 0 || ran.code == 3, "{paths:?}: {}", ran.stderr);
    ran.code
}

/// Every answer that the program gives about a store, as bytes.
fn answers(place: &Place, as_of: &str, keys: &[&str]) -> Vec<String> {
    let mut questions: Vec<Vec<&str>> = vec![
        vec!["audit"],
        vec!["keys"],
        vec!["snapshots"],
        vec!["projects"],
        vec!["download", "list"],
    ];
    questions.extend(keys.iter().map(|key| vec!["check", key]));
    let mut answers = Vec::new();
    for question in questions {
        for format in ["table", "json", "csv"] {
            let words = [
                &["--quiet", "--as-of", as_of, "--format", format][..],
                &question,
            ]
            .concat();
            let ran = place.run(&words);
            assert_eq!(ran.stderr, "", "{words:?}");
            answers.push(format!("{} {}", ran.code, ran.stdout));
        }
    }
    answers
}

fn keys_of_the_demo() -> Vec<String> {
    let expected = evidence::read(&fixture("demo-expected.json"));
    let keys = expected["keys"].as_object().unwrap();
    keys.keys().cloned().collect()
}

#[test]
fn the_same_evidence_again_changes_nothing() {
    for name in ["check", "demo"] {
        let folder = fixture(name);
        let folder = folder.to_str().unwrap();
        let place = Place::new();
        let first = ingest(&place, &[folder]);
        let kept = stored::read(&place.path().join("snapkey.db"));
        assert_eq!(ingest(&place, &[folder]), first, "{name}");
        assert_eq!(ingest(&place, &[folder, folder]), first, "{name}");
        let now = stored::read(&place.path().join("snapkey.db"));
        assert_eq!(now, kept, "{name}: {:?}", kept.differences(&now));
    }
}

#[test]
fn the_same_loose_files_again_change_nothing() {
    let place = Place::new();
    let page = fixture("check/bundle/pages/orders-orders-prod-snapshots.json");
    let words = [
        page.to_str().unwrap(),
        "--observed-at",
        "2026-11-01T02:35:10Z",
    ];
    ingest(&place, &words);
    let kept = stored::read(&place.path().join("snapkey.db"));
    assert!(kept.rows("snapshot") > 0);
    ingest(&place, &words);
    let now = stored::read(&place.path().join("snapkey.db"));
    assert_eq!(now, kept, "{:?}", kept.differences(&now));
}

#[test]
fn the_order_of_imports_does_not_matter() {
    let keys = keys_of_the_demo();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let parts = ["demo/2026-10-26", "demo/2026-11-01", "demo/keys"].map(fixture);
    let parts: Vec<&str> = parts.iter().map(|path| path.to_str().unwrap()).collect();
    let mut first: Option<Vec<String>> = None;
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        for together in [false, true] {
            let place = Place::new();
            let chosen: Vec<&str> = order.iter().map(|&n| parts[n]).collect();
            if together {
                ingest(&place, &chosen);
            } else {
                for part in &chosen {
                    ingest(&place, &[part]);
                }
            }
            let said = answers(&place, DEMO_AS_OF, &keys);
            match &first {
                None => first = Some(said),
                Some(first) => assert_eq!(&said, first, "{order:?}, together: {together}"),
            }
        }
    }
}

#[test]
fn a_store_in_memory_answers_like_one_on_disk() {
    let folder = fixture("check");
    let folder = folder.to_str().unwrap();
    let place = Place::new();
    ingest(&place, &[folder]);
    let ask = |words: &[&str]| {
        place.run(
            &[
                &["--offline", "--as-of", CHECK_AS_OF, "--format", "json"][..],
                words,
            ]
            .concat(),
        )
    };
    let disk = ask(&["audit"]);
    let memory = ask(&["--store", ":memory:", "audit", folder]);
    assert_eq!((memory.code, memory.stdout), (disk.code, disk.stdout));
}

#[test]
fn two_ingests_at_once_leave_what_one_after_the_other_leaves() {
    let bundles = Place::new();
    let names = ["a", "b", "c"];
    for name in names {
        write_bundle(
            &bundles.path().join(name),
            name,
            900,
            "2026-11-01T02:35:00Z",
        );
    }
    let folders = names.map(|name| bundles.path().join(name));
    let one_by_one = Place::new();
    let at_once = Place::new();
    for folder in &folders {
        assert_eq!(ingest(&one_by_one, &[folder.to_str().unwrap()]), 0);
    }
    let running: Vec<_> = folders
        .iter()
        .map(|folder| {
            let mut command = at_once.command();
            command.arg("ingest").arg(folder).stdout(Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    for mut child in running {
        assert!(child.wait().unwrap().success());
    }
    let keys: Vec<String> = (0..3).map(evidence::arn).collect();
    let mut keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    keys.extend([HELD, SAFE, UNKNOWN]);
    assert_eq!(
        answers(&at_once, CHECK_AS_OF, &keys),
        answers(&one_by_one, CHECK_AS_OF, &keys)
    );
    let count = |place: &Place| -> Stored { stored::read(&place.path().join("snapkey.db")) };
    assert_eq!(count(&at_once).rows("snapshot"), 2_700);
    assert_eq!(count(&one_by_one).rows("snapshot"), 2_700);
}
