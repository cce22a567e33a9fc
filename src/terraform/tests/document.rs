//! What is read off the plan as a whole, and how resources are told apart and called.

use serde_json::json;

use super::{ARN, Keys, plan_of, plan_with};

#[test]
fn a_resource_without_a_type_may_be_a_key() {
    let row = json!({"address": "x", "change": {"actions": ["update"], "before": {}, "after": {}}});
    let plan = plan_of(&plan_with(
        &json!([row, {"type": 5}, {"type": "aws_s3_bucket"}, {"mode": "data"}]),
    ));
    let found: Vec<(&str, bool)> = plan
        .changes
        .iter()
        .map(|change| {
            (
                change.address.as_str(),
                matches!(change.keys, Keys::Unknown(_)),
            )
        })
        .collect();
    assert_eq!(found, [("x", true), ("resource_changes[1]", true)]);
}

#[test]
fn hostile_text_goes_on_verbatim_and_no_further_than_its_limit() {
    let hostile = "a\u{1b}[31m\n<script>\u{202e}";
    let row = |address: &str, arn: &str| {
        json!({
            "address": address, "type": "aws_kms_key",
            "change": {"actions": ["delete"], "before": {"arn": arn}},
        })
    };
    let long = "é".repeat(5000);
    let plan = plan_of(&plan_with(&json!([
        row(hostile, hostile),
        row(&long, &"k".repeat(4096))
    ])));
    assert_eq!(plan.changes[0].address, hostile);
    assert_eq!(plan.changes[0].keys, Keys::One(hostile.to_owned()));
    assert_eq!(plan.changes[1].address, format!("{}…", "é".repeat(2048)));
    assert_eq!(plan.changes[1].keys, Keys::One("k".repeat(4096)));
}

#[test]
fn flaws_beyond_a_hundred_are_counted() {
    let row = json!({"address": "x", "type": "aws_kms_key", "change": {"actions": ["melt"]}});
    let plan = plan_of(&plan_with(&json!(vec![row; 150])));
    assert_eq!((plan.changes.len(), plan.flaws.len()), (150, 101));
    assert_eq!(plan.flaws[100], "50 more of this kind");
}

#[test]
fn what_the_plan_says_of_itself_is_a_flaw_unless_it_is_good() {
    for (field, value, flawed) in [
        ("errored", json!(false), false),
        ("errored", json!(true), true),
        ("errored", json!("no"), true),
        ("complete", json!(true), false),
        ("complete", json!(false), true),
        ("complete", json!(null), true),
        // Nothing to do, or errored: said elsewhere.
        ("applyable", json!(false), false),
    ] {
        let mut document = plan_with(&json!([]));
        document[field] = value.clone();
        assert_eq!(
            plan_of(&document).flaws.len(),
            usize::from(flawed),
            "{field}: {value}"
        );
    }
}

#[test]
fn a_deferred_change_is_a_flaw_if_it_may_be_of_a_key() {
    let mut document = plan_with(&json!([]));
    document["deferred_changes"] = json!([
        {"reason": "absent_prereq", "resource_change": {"address": "aws_kms_key.a[*]", "type": "aws_kms_key"}},
        {"reason": "absent_prereq", "resource_change": {"address": "aws_s3_bucket.a", "type": "aws_s3_bucket"}},
        {"reason": "absent_prereq", "resource_change": {"mode": "data", "type": "aws_kms_key"}},
        {"reason": 5},
    ]);
    assert_eq!(
        plan_of(&document).flaws,
        [
            "the change of `aws_kms_key.a[*]` is put off to another plan (absent_prereq)",
            "the change of `deferred_changes[3]` is put off to another plan (without a reason)",
        ]
    );
}

/// Attribute values are compared and dropped.
#[test]
fn no_secret_of_the_plan_is_kept() {
    let secret = "c2VjcmV0IG1hdGVyaWFs";
    let before =
        json!({"arn": ARN, "enabled": true, "key_material_base64": secret, "valid_to": null});
    let mut after = before.clone();
    after["key_material_base64"] = json!("b3RoZXIgc2VjcmV0");
    let mut document = plan_with(&json!([{
        "address": "a", "type": "aws_kms_external_key",
        "change": {"actions": ["update"], "before": before, "after": after},
    }]));
    document["variables"] = json!({"token": {"value": secret}});
    let plan = plan_of(&document);
    assert_eq!(plan.changes.len(), 1);
    assert!(!format!("{plan:?}").contains("c2VjcmV0"));
    assert!(!format!("{plan:?}").contains("b3RoZXI"));
}
