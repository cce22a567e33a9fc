use serde_json::json;

use super::*;

const V1: &str = "00000000000000000000000000000001";
const V2: &str = "00000000000000000000000000000002";
/// 2026-11-01T06:00:00Z.
const NOW: i64 = 1_793_512_800;
const HOUR: i64 = 3_600;

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn key() -> AzureKey {
    let Spelling::AzureKey(key) = Spelling::read("https://payments.vault.azure.net/keys/backup")
    else {
        panic!("a key without a version");
    };
    key
}

fn version(version: &str) -> AzureKeyVersion {
    key().at_version(version).unwrap()
}

fn asked() -> Asked {
    Asked {
        at: time(NOW),
        service_at: None,
        endpoint: "https://payments.vault.azure.net".to_owned(),
        identity: None,
    }
}

/// A key as the API shows it, with fields put over (`null`: left out).
fn shown(attributes: Value, jwk: Value) -> Vec<u8> {
    let mut document = json!({
        "key": {"kid": format!("{}/{V1}", key()), "kty": "RSA", "n": "AQAB", "e": "AQAB",
            "key_ops": ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]},
        "attributes": {"enabled": true, "created": 1_700_000_000, "updated": 1_700_000_000,
            "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90},
        "tags": {"externalName": "is a tag"},
    });
    put(&mut document["attributes"], attributes);
    put(&mut document["key"], jwk);
    document.to_string().into_bytes()
}

fn put(into: &mut Value, over: Value) {
    let (Value::Object(into), Value::Object(over)) = (into, over) else {
        panic!("objects");
    };
    for (name, value) in over {
        if value.is_null() {
            into.remove(&name);
        } else {
            into.insert(name, value);
        }
    }
}

fn observe(attributes: Value, jwk: Value, asked: &Asked) -> Observation {
    let facts = read_key(&version(V1), &shown(attributes, jwk)).unwrap();
    asked.told(&version(V1), &facts)
}

/// `word`, `word DATE`, or `unknown REASON`.
fn short(observation: &Observation) -> String {
    let condition = &observation.condition;
    match (condition, condition.date()) {
        (Condition::Unknown { reason, .. }, _) => format!("unknown {}", reason.word()),
        (_, Some(date)) => format!("{} {date}", condition.word()),
        (_, None) => condition.word().to_owned(),
    }
}

/// Every row of Key Vault's key attributes and key operations.
#[test]
fn every_state_has_one_condition() {
    let none = || json!({});
    let table = [
        (none(), none(), "enabled"),
        (json!({"enabled": false}), none(), "disabled"),
        (
            json!({"exp": NOW + HOUR}),
            none(),
            "enabled 2026-11-01T07:00:00Z",
        ),
        (json!({"exp": NOW - 1}), none(), "unwrap-only"),
        (json!({"exp": NOW}), none(), "unwrap-only"),
        (json!({"nbf": NOW + 1}), none(), "unwrap-only"),
        (json!({"nbf": NOW}), none(), "enabled"),
        (
            json!({"nbf": NOW - HOUR, "exp": NOW + HOUR}),
            none(),
            "enabled 2026-11-01T07:00:00Z",
        ),
        (
            json!({"nbf": NOW + HOUR, "exp": NOW - HOUR}),
            none(),
            "unwrap-only",
        ),
        (
            json!({"enabled": false, "exp": NOW - 1}),
            none(),
            "disabled",
        ),
        (json!({"enabled": null}), none(), "unknown malformed"),
        (
            none(),
            json!({"key_ops": ["unwrapKey", "decrypt"]}),
            "enabled",
        ),
        (
            none(),
            json!({"key_ops": ["wrapKey", "unwrapKey"]}),
            "unwrap-only",
        ),
        (
            none(),
            json!({"key_ops": ["encrypt", "decrypt"]}),
            "unwrap-only",
        ),
        (
            none(),
            json!({"key_ops": ["wrapKey", "encrypt", "sign"]}),
            "disabled",
        ),
        (none(), json!({"key_ops": []}), "disabled"),
        (none(), json!({"key_ops": null}), "unknown malformed"),
        (
            json!({"exp": NOW - 1}),
            json!({"key_ops": ["sign"]}),
            "disabled",
        ),
        (
            json!({"externalKey": {"id": "k1"}}),
            none(),
            "unknown backing-key-unverified",
        ),
        (json!({"externalKey": null}), none(), "enabled"),
        (json!({"isExternal": false}), none(), "enabled"),
        (
            none(),
            json!({"external_key_id": "k1"}),
            "unknown backing-key-unverified",
        ),
        (
            json!({"enabled": false, "externalKey": {"id": "k1"}}),
            none(),
            "disabled",
        ),
        (json!({"recoveryLevel": "Purgeable"}), none(), "enabled"),
        (json!({"recoveryLevel": null}), none(), "enabled"),
    ];
    for (attributes, jwk, expected) in table {
        let read = observe(attributes.clone(), jwk.clone(), &asked());
        assert_eq!(short(&read), expected, "{attributes} {jwk}");
        assert_eq!(read.key, KeyId::Azure(version(V1)));
        assert!(read.native.is_some(), "{attributes}");
    }
}

#[test]
fn every_date_ahead_ends_what_is_said_now() {
    let table = [
        (json!({"exp": NOW + HOUR}), Some(NOW + HOUR)),
        (json!({"nbf": NOW + 5, "exp": NOW + HOUR}), Some(NOW + 5)),
        (json!({"nbf": NOW - 5, "exp": NOW + HOUR}), Some(NOW + HOUR)),
        (json!({"exp": NOW - 5}), None),
        (
            json!({"enabled": false, "exp": NOW + HOUR}),
            Some(NOW + HOUR),
        ),
        (json!({}), None),
    ];
    for (attributes, expected) in table {
        let read = observe(attributes.clone(), json!({}), &asked());
        assert_eq!(read.stale_at, expected.map(time), "{attributes}");
    }
}

/// A machine whose clock is off must not make a key usable that the service's clock says is not.
#[test]
fn with_two_clocks_the_worse_counts() {
    let table = [
        (json!({"exp": NOW + HOUR}), 2 * HOUR, "unwrap-only"),
        (json!({"exp": NOW - HOUR}), -2 * HOUR, "unwrap-only"),
        (json!({"nbf": NOW - HOUR}), -2 * HOUR, "unwrap-only"),
        (json!({"nbf": NOW + HOUR}), 2 * HOUR, "unwrap-only"),
        (
            json!({"exp": NOW + HOUR}),
            HOUR / 2,
            "enabled 2026-11-01T07:00:00Z",
        ),
        (json!({}), 24 * HOUR, "enabled"),
    ];
    for (attributes, ahead, expected) in table {
        let asked = Asked {
            service_at: Some(time(NOW + ahead)),
            ..asked()
        };
        let read = observe(attributes.clone(), json!({}), &asked);
        assert_eq!(short(&read), expected, "{attributes} by {ahead}");
    }
}

#[test]
fn an_answer_about_another_key_is_no_answer() {
    let kid = |kid: &str| read_key(&version(V1), &shown(json!({}), json!({"kid": kid})));
    assert!(kid(&format!("{}/{V1}", key())).is_ok());
    assert!(
        kid(&format!(
            "https://PAYMENTS.vault.azure.net:443//keys/Backup/{V1}/"
        ))
        .is_ok()
    );
    for other in [
        format!("{}/{V2}", key()),
        format!("https://other.vault.azure.net/keys/backup/{V1}"),
        format!("https://payments.vault.azure.cn/keys/backup/{V1}"),
        format!("https://payments.vault.azure.net/keys/other/{V1}"),
        key().to_string(),
        format!("https://evil.example/keys/backup/{V1}"),
    ] {
        assert!(kid(&other).is_err(), "{other}");
    }
    for body in [
        "",
        "[]",
        "{}",
        "null",
        "{\"attributes\":{\"enabled\":true}}",
        "<html/>",
    ] {
        assert!(read_key(&version(V1), body.as_bytes()).is_err(), "{body}");
    }
    for dates in [
        json!({"exp": "soon"}),
        json!({"exp": -5}),
        json!({"nbf": 1e30}),
        json!({"exp": []}),
    ] {
        assert!(
            read_key(&version(V1), &shown(dates.clone(), json!({}))).is_err(),
            "{dates}"
        );
    }
}

#[test]
fn a_page_lists_versions_of_the_key_and_of_no_other() {
    let item = |kid: String| json!({"kid": kid, "attributes": {"enabled": false}});
    let page = |items: &[Value], next: Value| {
        read_page(
            &key(),
            json!({"value": items, "nextLink": next})
                .to_string()
                .as_bytes(),
        )
    };
    let one = item(format!("{}/{V1}", key()));
    let two = item(format!("{}/{V2}", key()));
    let read = page(&[one.clone(), two], Value::Null).unwrap();
    let listed: Vec<_> = read
        .versions
        .iter()
        .map(|(version, _)| version.clone())
        .collect();
    assert_eq!(listed, [version(V1), version(V2)]);
    assert_eq!(read.next, None);
    assert_eq!(page(&[], json!("")).unwrap().next, None);
    let next = "https://payments.vault.azure.net:443/keys/backup/versions?$skiptoken=x";
    assert_eq!(page(&[], json!(next)).unwrap().next.as_deref(), Some(next));
    for foreign in [
        item(format!("https://other.vault.azure.net/keys/backup/{V1}")),
        item(key().to_string()),
        json!({"attributes": {"enabled": true}}),
        json!({"kid": format!("{}/{V1}", key())}),
    ] {
        assert!(
            page(&[one.clone(), foreign.clone()], Value::Null).is_err(),
            "{foreign}"
        );
    }
    assert!(read_page(&key(), b"{}").is_err());
}

#[test]
fn a_deleted_key_is_recoverable_until_its_purge_date() {
    let deleted = |over: Value| {
        let mut document: Value = serde_json::from_slice(&shown(json!({}), json!({}))).unwrap();
        put(
            &mut document,
            json!({
            "recoveryId": "https://payments.vault.azure.net/deletedkeys/backup",
            "deletedDate": NOW - HOUR, "scheduledPurgeDate": NOW + HOUR}),
        );
        put(&mut document, over);
        read_deleted(&key(), document.to_string().as_bytes())
    };
    let told = |over: Value| asked().deleted(&version(V2), &deleted(over).unwrap());
    let read = told(json!({}));
    assert_eq!(short(&read), "soft-deleted 2026-11-01T07:00:00Z");
    assert_eq!(
        read.key,
        KeyId::Azure(version(V2)),
        "all versions are deleted together"
    );
    assert_eq!(read.stale_at, Some(time(NOW + HOUR)));
    // "+Purgeable": a privileged user may purge it today.
    assert_eq!(
        read.native.as_deref(),
        Some("deleted, recoveryLevel=Recoverable+Purgeable")
    );
    assert_eq!(
        short(&told(json!({"scheduledPurgeDate": null}))),
        "soft-deleted"
    );
    let overdue = told(json!({"scheduledPurgeDate": NOW - 1}));
    assert_eq!(short(&overdue), "soft-deleted 2026-11-01T05:59:59Z");
    assert_eq!(overdue.stale_at, None);
    for wrong in [
        json!({"recoveryId": "https://other.vault.azure.net/deletedkeys/backup"}),
        json!({"recoveryId": "https://payments.vault.azure.net/deletedkeys/other"}),
        json!({"recoveryId": "nonsense"}),
        json!({"scheduledPurgeDate": "soon"}),
    ] {
        assert!(deleted(wrong.clone()).is_err(), "{wrong}");
    }
    assert!(
        read_deleted(&key(), &shown(json!({}), json!({}))).is_err(),
        "a live key"
    );
    let live = deleted(json!({})).map(|_| ());
    assert!(live.is_ok());
    let body = json!({"recoveryId": "https://payments.vault.azure.net/deletedkeys/backup"});
    assert!(
        read_key(&version(V1), body.to_string().as_bytes()).is_err(),
        "a deleted key"
    );
}
