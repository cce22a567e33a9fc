//! The edges of the rule for an Atlas project's encryption at rest.

use serde_json::{Value, json};

use super::{ARN, Action, Keys, Successor, changes};

const UUID: &str = "0000013b-0000-4000-8000-00000000013b";

fn settings(block: &str, before: Value, after: Value, unknown: Value) -> Vec<(Action, Keys)> {
    let side = |value: Value| {
        let mut all = json!({
            "project_id": "p", "aws_kms_config": [], "azure_key_vault_config": [],
            "google_cloud_kms_config": [],
        });
        all[block] = value;
        all
    };
    changes(
        "mongodbatlas_encryption_at_rest",
        json!({
            "actions": ["update"], "before": side(before), "after": side(after),
            "after_unknown": unknown,
        }),
    )
}

#[test]
fn a_project_keeps_its_key_loses_it_or_goes_to_another() {
    let other = ARN.replace("013b", "013c");
    let aws = |enabled: Value, key: Value, region: Value| json!([{"enabled": enabled, "customer_master_key_id": key, "region": region}]);
    let on = |key: &str| aws(json!(true), json!(key), json!("US_EAST_1"));
    let off = |key: &str| aws(json!(false), json!(key), json!("US_EAST_1"));
    let rotate = |to: &str| {
        Some(Action::Rotate {
            to: Successor::Known(to.to_owned()),
        })
    };
    let detach = Some(Action::Detach);
    let table = [
        (
            on(ARN),
            on(ARN),
            json!({"aws_kms_config": [{"valid": true}]}),
            None,
        ),
        (on(ARN), on(&other), json!({}), rotate(&other)),
        (on(ARN), off(ARN), json!({}), detach.clone()),
        (on(ARN), off(&other), json!({}), detach.clone()),
        (on(ARN), json!([]), json!({}), detach.clone()),
        (on(ARN), json!(null), json!({}), detach.clone()),
        (on(ARN), json!("nonsense"), json!({}), detach.clone()),
        (
            on(ARN),
            json!([null]),
            json!({"aws_kms_config": [true]}),
            detach.clone(),
        ),
        (
            on(ARN),
            on(ARN),
            json!({"aws_kms_config": true}),
            detach.clone(),
        ),
        (on(ARN), on(ARN), json!(true), detach.clone()),
        (
            on(ARN),
            on(ARN),
            json!({"aws_kms_config": [{"enabled": true}]}),
            detach.clone(),
        ),
        (
            on(ARN),
            aws(json!(true), json!(null), json!("US_EAST_1")),
            json!({}),
            detach.clone(),
        ),
        (
            on(ARN),
            aws(json!(null), json!(ARN), json!("US_EAST_1")),
            json!({}),
            detach.clone(),
        ),
        (
            aws(json!(null), json!(ARN), json!(null)),
            on(ARN),
            json!({}),
            None,
        ),
        (
            aws(json!(null), json!(ARN), json!(null)),
            on(&other),
            json!({}),
            rotate(&other),
        ),
        // Off before: the key there is not the project's.
        (off(ARN), on(&other), json!({}), None),
        (off(ARN), json!([]), json!({}), None),
        (json!([]), on(ARN), json!({}), None),
        (json!(null), on(ARN), json!({}), None),
        // An object in the place of a list of one.
        (
            on(ARN)[0].clone(),
            on(&other)[0].clone(),
            json!({}),
            rotate(&other),
        ),
        (on(ARN)[0].clone(), json!(null), json!({}), detach),
        // Another region moves a bare id, not an ARN.
        (
            on(ARN),
            aws(json!(true), json!(ARN), json!("EU_WEST_1")),
            json!({}),
            None,
        ),
        (
            on(UUID),
            aws(json!(true), json!(UUID), json!("us-east-1")),
            json!({}),
            None,
        ),
        (
            on(UUID),
            on(&UUID.to_uppercase()),
            json!({}),
            rotate(&UUID.to_uppercase()),
        ),
    ];
    for (before, after, unknown, expected) in table {
        let said = format!("{before} -> {after} ({unknown})");
        let mut found = settings("aws_kms_config", before, after, unknown);
        let change = found.pop();
        assert!(found.is_empty(), "{said}: {found:?}");
        assert_eq!(change.map(|(action, _)| action), expected, "{said}");
    }
}

#[test]
fn a_successor_that_the_plan_does_not_name_is_unknown() {
    let on = |key: Value, region: Value| json!([{"enabled": true, "customer_master_key_id": key, "region": region}]);
    let from = || on(json!(UUID), json!("US_EAST_1"));
    for (after, unknown) in [
        (
            on(json!(null), json!("US_EAST_1")),
            json!({"aws_kms_config": [{"customer_master_key_id": true}]}),
        ),
        (on(json!(7), json!("US_EAST_1")), json!({})),
        (on(json!("k".repeat(5000)), json!("US_EAST_1")), json!({})),
        (json!([{"enabled": true, "region": "US_EAST_1"}]), json!({})),
        (on(json!(UUID), json!("EU_WEST_1")), json!({})),
        (
            on(json!(UUID), json!(null)),
            json!({"aws_kms_config": [{"region": true}]}),
        ),
    ] {
        let found = settings("aws_kms_config", from(), after.clone(), unknown);
        assert!(
            matches!(
                found.as_slice(),
                [(Action::Rotate { to: Successor::Unknown(_) }, Keys::One(key))] if key == UUID
            ),
            "{after}: {found:?}"
        );
    }
}

#[test]
fn a_key_spelled_another_way_is_no_rotation() {
    let url = "https://kv-a.vault.azure.net/keys/k/0000000000000000000000000000000a";
    let on = |key: &str| json!([{"enabled": true, "key_identifier": key}]);
    let shouted = url.replace("kv-a", "KV-A");
    assert_eq!(
        settings("azure_key_vault_config", on(url), on(&shouted), json!({})),
        []
    );
    let next = url.replace("00a", "00b");
    assert_eq!(
        settings("azure_key_vault_config", on(url), on(&next), json!({})).len(),
        1
    );
}

#[test]
fn each_provider_that_loses_its_key_is_a_change() {
    let before = json!({
        "aws_kms_config": [{"enabled": true, "customer_master_key_id": ARN}],
        "azure_key_vault_config": [{"enabled": true, "key_identifier": "u"}],
        "google_cloud_kms_config": [{"enabled": false, "key_version_resource_id": "v"}],
    });
    let found = changes(
        "mongodbatlas_encryption_at_rest",
        json!({"actions": ["delete"], "before": before, "after": null}),
    );
    assert_eq!(
        found,
        [
            (Action::Detach, Keys::One(ARN.to_owned())),
            (Action::Detach, Keys::One("u".to_owned())),
        ]
    );
}

#[test]
fn settings_that_cannot_be_read_are_unknown_keys() {
    let none = json!({"project_id": "p"});
    let all =
        json!({"aws_kms_config": [], "azure_key_vault_config": [], "google_cloud_kms_config": []});
    let mut two = all.clone();
    two["aws_kms_config"] = json!([{}, {}]);
    let mut half = all.clone();
    half.as_object_mut().unwrap().remove("aws_kms_config");
    let mut empty = all.clone();
    empty["aws_kms_config"] = json!([{"enabled": true, "customer_master_key_id": null}]);
    for before in [Value::Null, json!(5), none, two, half, empty] {
        for actions in [json!(["update"]), json!(["delete"]), json!(["melt"])] {
            let found = changes(
                "mongodbatlas_encryption_at_rest",
                json!({"actions": actions, "before": before, "after": all, "after_unknown": {}}),
            );
            assert!(
                matches!(found.as_slice(), [(Action::Detach, Keys::Unknown(_))]),
                "{actions} {before}: {found:?}"
            );
        }
    }
}
