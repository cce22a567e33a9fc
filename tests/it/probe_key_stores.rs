//! Keys in custom key stores: whether the store is connected is asked once for all its keys, is
//! shown with them, can make them unusable, and never makes them usable.

use serde_json::{Value, json};
use snapkey::model::evidence::{Condition, Observation};

use crate::emulator::aws::{Aws, Fault, Key};
use crate::support::aws::{arn, config, limits, observe, run, short, targets};

const STORES: &str = "TrentService.DescribeCustomKeyStores";

fn in_store(state: &str) -> Key {
    Key::new(json!({
        "KeyState": state, "Enabled": state == "Enabled",
        "Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-1",
    }))
}

/// What is told of a key besides its condition.
fn besides(observation: &Observation) -> String {
    if let Condition::Unknown { reason: _, detail } = &observation.condition {
        return detail.clone().unwrap_or_default();
    }
    observation.condition.reason().unwrap_or_default()
}

#[test]
fn what_a_key_store_says_is_shown_and_can_only_make_its_keys_less_usable() {
    let unverified = "unknown backing-key-unverified";
    let listed = |connection: &str| Ok(json!({"ConnectionState": connection}));
    let table: Vec<(&str, Result<Value, Fault>, &str, &str)> = vec![
        ("Enabled", listed("CONNECTED"), unverified, "CONNECTED"),
        ("Enabled", listed("CONNECTING"), unverified, "CONNECTING"),
        (
            "Enabled",
            listed("DISCONNECTED"),
            "unavailable",
            "DISCONNECTED",
        ),
        (
            "Enabled",
            Ok(json!({"ConnectionState": "FAILED", "ConnectionErrorCode": "USER_LOCKED_OUT"})),
            "unavailable",
            "FAILED, USER_LOCKED_OUT",
        ),
        (
            "Unavailable",
            listed("DISCONNECTED"),
            "unavailable",
            "DISCONNECTED",
        ),
        (
            "Unavailable",
            listed("CONNECTED"),
            "unavailable",
            "CONNECTED",
        ),
        ("Disabled", listed("DISCONNECTED"), "disabled", ""),
        // Tolerated, whatever goes wrong.
        (
            "Enabled",
            Err(Fault::exception("AccessDeniedException", "no")),
            unverified,
            "cks-1",
        ),
        (
            "Enabled",
            Err(Fault::exception("CustomKeyStoreNotFoundException", "")),
            unverified,
            "cks-1",
        ),
        (
            "Enabled",
            Err(Fault::body(200, "<html/>")),
            unverified,
            "cks-1",
        ),
        ("Enabled", Err(Fault::HangUp), unverified, "cks-1"),
        (
            "Unavailable",
            Err(Fault::exception("AccessDeniedException", "no")),
            "unavailable",
            "disconnected",
        ),
        // An answer about another store is none about this one.
        (
            "Enabled",
            Ok(json!({"CustomKeyStoreId": "cks-2", "ConnectionState": "DISCONNECTED"})),
            unverified,
            "cks-1",
        ),
    ];
    for (state, store, condition, told) in table {
        let kms = Aws::start();
        kms.put(&arn(1), in_store(state));
        kms.put_store("cks-1", store.clone());
        let read = observe(&kms.url(), &arn(1));
        assert_eq!(short(&read.condition), condition, "{state} {store:?}");
        assert!(besides(&read).contains(told), "{state} {store:?}: {read:?}");
        assert_eq!(read.native.as_deref(), Some(state), "the word is kept");
    }
}

#[test]
fn a_key_store_is_asked_about_once_and_only_in_its_own_account() {
    let kms = Aws::start();
    kms.put_store("cks-1", Ok(json!({"ConnectionState": "CONNECTED"})));
    (0..12).for_each(|number| kms.put(&arn(number), in_store("Enabled")));
    kms.put(&arn(20), Key::in_state("Enabled"));
    let mut asked = targets(0..12);
    asked.extend(targets(20..21));
    let (answers, _) = run(config(&kms.url()), asked, &limits());
    assert_eq!(answers.len(), 13);
    assert_eq!(kms.count(STORES), 1);

    let kms = Aws::start();
    let foreign = arn(1).replace("111122223333", "999988887777");
    kms.put(&foreign, in_store("Enabled"));
    let read = observe(&kms.url(), &foreign);
    assert_eq!(short(&read.condition), "unknown backing-key-unverified");
    assert_eq!(kms.count(STORES), 0);
}
