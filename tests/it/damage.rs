//! Every value of every page of one project damaged in turn: no key becomes `safe` that was not,
//! and no snapshot `restorable` that was not.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::cmd::{Place, copy, fixture};
use crate::support::evidence::{self, CHECK_AS_OF, passed};

/// Each value of each page, damaged in each of these ways.
fn damages() -> Vec<(&'static str, Option<Value>)> {
    vec![
        ("left out", None),
        ("null", Some(Value::Null)),
        ("a number", Some(json!(7))),
        ("empty", Some(json!(""))),
        ("an object", Some(json!({}))),
        ("a control character", Some(json!("\u{1b}"))),
    ]
}

/// Omissions that no reader can see, by file and path: a source that leaves them out says
/// something else, and says it soundly.
const UNSEEN: &[(&str, &str)] = &[
    // Atlas promises the id for AWS keys; a row without one is under none of them.
    ("snapshots.json", "/masterKeyUUID"),
];

#[test]
fn no_single_damaged_value_makes_a_key_safe_or_a_snapshot_restorable() {
    let base = fixture("check");
    let whole = passed(&Place::new(), &base, CHECK_AS_OF).unwrap();
    let mut attempts: Vec<(PathBuf, String, &'static str, Value)> = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(base.join("bundle/pages"))
        .unwrap()
        .map(|entry| PathBuf::from("bundle/pages").join(entry.unwrap().file_name()))
        // The other projects are told in the same words as this one.
        .filter(|path| {
            ["groups", "orders"]
                .iter()
                .any(|of| path.to_str().unwrap().contains(of))
        })
        .collect();
    files.sort();
    for file in files {
        let document = evidence::read(&base.join(&file));
        let mut pointers = Vec::new();
        leaves(&document, String::new(), &mut pointers);
        for pointer in pointers {
            for (how, value) in damages() {
                let mut damaged = document.clone();
                put(&mut damaged, &pointer, value);
                attempts.push((file.clone(), pointer.clone(), how, damaged));
            }
        }
    }
    assert!(attempts.len() > 400, "{}", attempts.len());
    let next = AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let place = Place::new();
                let folder = place.path().join("evidence");
                copy(&base, &folder);
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some((file, pointer, how, damaged)) = attempts.get(n) else {
                        break;
                    };
                    let path = folder.join(file);
                    std::fs::write(&path, damaged.to_string()).unwrap();
                    let lied = passed(&place, &folder, CHECK_AS_OF).unwrap_or_default();
                    std::fs::copy(base.join(file), &path).unwrap();
                    let unseen = UNSEEN.iter().any(|(end, tail)| {
                        let nothing = matches!(*how, "left out" | "null" | "empty");
                        nothing && file.to_str().unwrap().ends_with(end) && pointer.ends_with(tail)
                    });
                    let safe = lied.safe.is_subset(&whole.safe);
                    let mut restorable = lied.restorable.clone();
                    // The row stands under what its id is, which nobody can look up.
                    restorable.remove("7");
                    if !(safe || unseen) || !restorable.is_subset(&whole.restorable) {
                        let file = file.display();
                        let told = format!("{file} {pointer} {how}: {lied:?}");
                        wrong.lock().unwrap().push(told);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        attempts.len(),
        wrong.join("\n")
    );
}

/// JSON pointers to every scalar and every empty list or object.
fn leaves(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Array(rows) if !rows.is_empty() => {
            for (n, row) in rows.iter().enumerate() {
                leaves(row, format!("{at}/{n}"), found);
            }
        }
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                leaves(member, format!("{at}/{name}"), found);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => found.push(at),
    }
}

/// Puts a value in the place of another, or takes that out.
fn put(document: &mut Value, pointer: &str, value: Option<Value>) {
    if let Some(value) = value {
        *document.pointer_mut(pointer).unwrap() = value;
        return;
    }
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(rows) => drop(rows.remove(name.parse().unwrap())),
        Value::Object(members) => drop(members.remove(name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => unreachable!(),
    }
}

/// The demo, where every verdict occurs: requests of its last run left out, failed, or with an
/// error in the place of the answer.
#[test]
fn no_request_that_is_missing_lets_anything_pass() {
    const AS_OF: &str = "2026-11-01T06:00:00Z";
    let base = fixture("demo");
    let whole = passed(&Place::new(), &base, AS_OF).unwrap();
    assert!(!whole.safe.is_empty() && whole.restorable.len() > 5);
    let place = Place::new();
    let folder = place.path().join("evidence");
    copy(&base, &folder);
    std::fs::write(
        folder.join("2026-11-01/pages/error.json"),
        json!({"error": 503, "errorCode": "UNAVAILABLE", "reason": "x"}).to_string(),
    )
    .unwrap();
    let path = folder.join("2026-11-01/manifest.json");
    let manifest = evidence::read(&path);
    let requests = manifest["requests"].as_array().unwrap().len();
    for n in 0..requests {
        for how in ["left out", "failed", "an error said to be a 200"] {
            let mut lessened = manifest.clone();
            let list = lessened["requests"].as_array_mut().unwrap();
            let request = &mut list[n];
            let asked = request["path"].as_str().unwrap().to_owned();
            match how {
                "failed" => {
                    request["status"] = 503.into();
                    request["file"] = Value::Null;
                }
                "left out" => drop(list.remove(n)),
                _ => request["file"] = "pages/error.json".into(),
            }
            std::fs::write(&path, lessened.to_string()).unwrap();
            let left = passed(&place, &folder, AS_OF).unwrap();
            assert!(left.safe.is_subset(&whole.safe), "{asked} {how}: {left:?}");
            assert!(
                left.restorable.is_subset(&whole.restorable),
                "{asked} {how}: {left:?}"
            );
        }
    }
}
