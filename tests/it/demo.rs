//! The estate of `fixtures/demo`: the program must come to the verdicts that its README derives by
//! hand. A difference is a defect of one of the two; neither is regenerated from the other.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::cmd::{Place, fixture};

const AS_OF: &str = "2026-11-01T06:00:00Z";

fn audit() -> (i32, Value) {
    let demo = fixture("demo");
    Place::new().json(&[
        "--store",
        ":memory:",
        "--offline",
        "--as-of",
        AS_OF,
        "audit",
        demo.to_str().unwrap(),
    ])
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or("null")
}

#[test]
fn every_verdict_is_the_one_derived_by_hand() {
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("demo-expected.json")).unwrap())
            .unwrap();
    let (code, audit) = audit();
    let snapshots: BTreeMap<String, String> = audit["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let name = format!(
                "{}/{}/{}",
                text(row, "project"),
                text(row, "cluster"),
                text(row, "id")
            );
            (name, text(row, "verdict").to_owned())
        })
        .collect();
    let wanted: BTreeMap<String, String> = expected["snapshots"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, verdict)| (name.clone(), verdict.as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(snapshots, wanted);
    let keys: BTreeMap<String, [String; 3]> = audit["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let fields = ["verdict", "safe_after_kind", "safe_after"];
            (
                text(row, "id").to_owned(),
                fields.map(|field| text(row, field).to_owned()),
            )
        })
        .collect();
    let wanted: BTreeMap<String, [String; 3]> = expected["keys"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(id, row)| {
            let fields = ["verdict", "safe_after_kind", "safe_after"];
            (id.clone(), fields.map(|field| text(row, field).to_owned()))
        })
        .collect();
    assert_eq!(keys, wanted);
    let findings = |document: &Value| -> Vec<[String; 3]> {
        let rows = document["findings"].as_array().unwrap().iter();
        rows.map(|row| ["code", "level", "subject"].map(|field| text(row, field).to_owned()))
            .collect()
    };
    assert_eq!(findings(&audit), findings(&expected));
    assert_eq!(code, 1);
}

#[test]
fn every_kind_of_verdict_occurs() {
    let (_, audit) = audit();
    for (list, words) in [
        (
            "snapshots",
            &[
                "restorable",
                "conditional",
                "blocked",
                "lost",
                "unknown",
                "unusable",
                "expired",
            ][..],
        ),
        ("keys", &["safe", "held", "unknown", "gone"][..]),
    ] {
        let counts = audit["summary"][list].as_object().unwrap();
        assert_eq!(counts.len(), words.len());
        for word in words {
            assert!(counts[*word].as_u64().unwrap() > 0, "no {word} in {list}");
        }
    }
}
