//! Plans in, changes out. The fixtures are plans of every resource type, action and depth of
//! module; what they must give is derived by hand from the formats.

mod document;
mod fixtures;
mod properties;
mod refusals;
mod rules;
mod settings;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Action, Change, Keys, Plan, Successor, read};

const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/0000013b-0000-4000-8000-00000000013b";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/terraform")
}

fn fixture(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(path)).unwrap()).unwrap()
}

fn expected() -> Vec<(String, Value)> {
    let Value::Object(table) = fixture("expected.json") else {
        panic!("expected.json is no object");
    };
    table.into_iter().collect()
}

fn plan_of(document: &Value) -> Plan {
    read(document.to_string().as_bytes(), "plan.json").unwrap()
}

/// A plan of these resource changes and nothing else.
fn plan_with(resource_changes: &Value) -> Value {
    json!({"format_version": "1.2", "resource_changes": resource_changes})
}

/// As `expected.json` writes it.
fn shown(plan: &Plan) -> Value {
    let changes: Vec<Value> = plan
        .changes
        .iter()
        .map(|Change { address, action, keys }| {
            let keys = match keys {
                Keys::One(key) => json!({"one": key}),
                Keys::GoogleKey(key) => json!({"google_key": key}),
                Keys::Vault(host) => json!({"vault": host}),
                Keys::Unknown(why) => json!({"unknown": why}),
            };
            let word = match action {
                Action::Delete => "delete",
                Action::Replace => "replace",
                Action::Forget => "forget",
                Action::Disable => "disable",
                Action::Detach => "detach",
                Action::Rotate { to } => {
                    let to = match to {
                        Successor::Known(key) => json!({"known": key}),
                        Successor::Unknown(why) => json!({"unknown": why}),
                    };
                    return json!({"address": address, "action": "rotate", "to": to, "keys": keys});
                }
            };
            json!({"address": address, "action": word, "keys": keys})
        })
        .collect();
    json!({"changes": changes, "flaws": plan.flaws})
}

/// What the plan of one change of one resource gives.
fn changes(resource_type: &str, change: Value) -> Vec<(Action, Keys)> {
    let row = json!({
        "address": "a.b", "mode": "managed", "type": resource_type, "name": "b", "change": change,
    });
    plan_of(&plan_with(&json!([row])))
        .changes
        .into_iter()
        .map(|change| (change.action, change.keys))
        .collect()
}
