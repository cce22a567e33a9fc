//! What is taken out of a plan, made unknown or spoiled never makes a change of a key vanish: the
//! change stays, gets graver, or says that it does not know which key.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::model::Unit;
use crate::terraform::resource::KINDS;

use super::{Action, Change, Keys, Plan, Successor, expected, fixture, plan_of, plan_with};

/// How grave it is for the key, as far as the rules tell actions apart.
fn weight(action: &Action) -> u8 {
    match action {
        Action::Delete | Action::Replace => 3,
        Action::Forget | Action::Disable | Action::Detach => 2,
        Action::Rotate { .. } => 1,
    }
}

fn stands(change: &Change, plan: &Plan) -> bool {
    plan.changes.iter().any(|found| {
        let unknown = match (&found.keys, &found.action) {
            (Keys::Unknown(_), _) => true,
            (_, Action::Rotate { to }) => matches!(to, Successor::Unknown(_)),
            (_, _) => false,
        };
        unknown
            || (same(&found.keys, &change.keys) && weight(&found.action) >= weight(&change.action))
    })
}

/// The same keys, or the same deletion unit.
fn same(found: &Keys, keys: &Keys) -> bool {
    match (found, keys) {
        (Keys::One(found), Keys::One(key)) => {
            found == key || Unit::parse(found).is_some_and(|unit| Some(unit) == Unit::parse(key))
        }
        (_, _) => found == keys,
    }
}

/// The pointers to all fields of objects in `value`, deepest last.
fn fields(value: &Value, prefix: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let path = format!("{prefix}/{}", name.replace('~', "~0").replace('/', "~1"));
                found.push(path.clone());
                fields(value, &path, found);
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                fields(value, &format!("{prefix}/{at}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn parent<'a>(document: &'a mut Value, path: &str) -> (&'a mut Value, String) {
    let (parent, name) = path.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/").replace("~0", "~");
    (document.pointer_mut(parent).unwrap(), name)
}

fn without(document: &Value, path: &str) -> Value {
    let mut document = document.clone();
    let (parent, name) = parent(&mut document, path);
    parent.as_object_mut().unwrap().remove(&name);
    document
}

/// `after` loses the field, and `after_unknown` has `true` in its place.
fn unknown(document: &Value, path: &str) -> Value {
    let mut document = without(document, path);
    let steps = path.replace("/change/after", "/change/after_unknown");
    let mut at = &mut document;
    let mut names = steps.split('/').skip(1).peekable();
    while let Some(name) = names.next() {
        let name = name.replace("~1", "/").replace("~0", "~");
        if let Value::Array(list) = at {
            let element = name.parse::<usize>().unwrap();
            while list.len() <= element {
                list.push(json!({}));
            }
            at = &mut list[element];
        } else {
            if !at.is_object() {
                *at = json!({});
            }
            let list = names
                .peek()
                .is_some_and(|next| next.parse::<usize>().is_ok());
            let empty = if list { json!([]) } else { json!({}) };
            at = at.as_object_mut().unwrap().entry(name).or_insert(empty);
        }
    }
    *at = json!(true);
    document
}

#[test]
fn no_change_vanishes_with_a_field() {
    let mut tried = 0;
    for (path, _) in expected() {
        let rows = fixture(&path)["resource_changes"].take();
        for row in rows.as_array().into_iter().flatten() {
            let document = plan_with(&json!([row]));
            let changes = plan_of(&document).changes;
            if changes.is_empty() {
                continue;
            }
            let mut places = Vec::new();
            fields(row, "/resource_changes/0", &mut places);
            for place in places {
                let mut spoiled = vec![without(&document, &place)];
                for nonsense in [json!(5), json!({"x": [1]})] {
                    let mut document = document.clone();
                    *document.pointer_mut(&place).unwrap() = nonsense;
                    spoiled.push(document);
                }
                if place.contains("/change/after") && !place.contains("/change/after_") {
                    spoiled.push(unknown(&document, &place));
                }
                for document in spoiled {
                    tried += 1;
                    let plan = plan_of(&document);
                    for change in &changes {
                        assert!(
                            stands(change, &plan),
                            "{path}: {place} spoiled: {change:?} became {plan:?}\n{document}"
                        );
                    }
                }
            }
        }
    }
    assert!(tried > 10_000, "only {tried} plans");
}

#[test]
fn no_change_vanishes_with_a_word_of_its_actions() {
    for (path, _) in expected() {
        let document = fixture(&path);
        let changes = plan_of(&document).changes;
        let count = document
            .pointer("/resource_changes/0/change/actions")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        for at in 0..count {
            let mut shorter = document.clone();
            let actions = shorter
                .pointer_mut("/resource_changes/0/change/actions")
                .unwrap();
            actions.as_array_mut().unwrap().remove(at);
            let mut other = document.clone();
            other["resource_changes"][0]["change"]["actions"][at] = json!("archive");
            for spoiled in [shorter, other] {
                let plan = plan_of(&spoiled);
                for change in &changes {
                    assert!(stands(change, &plan), "{path}: {change:?} became {plan:?}");
                }
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z{}/:]{0,12}".prop_map(Value::from),
        Just(json!("ENABLED")),
        Just(json!(
            "arn:aws:kms:us-east-1:111122223333:key/0000013b-0000-4000-8000-00000000013b"
        )),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any_name(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "arn",
        "id",
        "enabled",
        "is_enabled",
        "valid_to",
        "state",
        "key_opts",
        "type",
        "vault_uri",
        "aws_kms_config",
        "customer_master_key_id",
        "region",
        "name",
        "other",
    ])
    .prop_map(ToOwned::to_owned)
}

proptest! {
    /// Whatever the values are, reading ends, and a deletion of a key is one.
    #[test]
    fn a_deletion_is_one_whatever_the_values(
        kind in 0..KINDS.len(),
        actions in prop::sample::select(vec![
            json!(["delete"]), json!(["create", "delete"]), json!(["delete", "create"]),
            json!(["forget"]), json!(["shred"]), json!([]), json!("delete"), Value::Null,
        ]),
        before in any_json(),
        after in any_json(),
        after_unknown in any_json(),
    ) {
        let (resource_type, _) = KINDS[kind];
        let row = json!({
            "address": "x.y", "mode": "managed", "type": resource_type,
            "change": {"actions": actions, "before": before, "after": after, "after_unknown": after_unknown},
        });
        let plan = plan_of(&plan_with(&json!([row])));
        // Settings may have no key, and a resource of Azure's interface may be no vault.
        let may_be_none = ["mongodbatlas_encryption_at_rest", "azapi_resource"];
        if !may_be_none.contains(&resource_type) {
            prop_assert_eq!(plan.changes.len(), 1);
            prop_assert!(weight(&plan.changes[0].action) >= 2);
        }
    }
}
