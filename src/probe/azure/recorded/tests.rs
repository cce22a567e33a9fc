use serde_json::json;

use super::*;

const KEY: &str = "https://payments.vault.azure.net/keys/backup";
const V1: &str = "00000000000000000000000000000001";
const V2: &str = "00000000000000000000000000000002";

fn at() -> Timestamp {
    Timestamp::floor("2026-11-01T06:00:00Z").unwrap()
}

/// As `az keyvault key show` prints it.
fn show(enabled: bool, expires: Value, operations: Value) -> Value {
    json!({
        "attributes": {
            "created": "2025-01-01T00:00:00+00:00", "enabled": enabled, "expires": expires,
            "exportable": false, "hsmPlatform": "2", "notBefore": null, "recoverableDays": 90,
            "recoveryLevel": "Recoverable", "updated": "2025-01-01T00:00:00+00:00",
        },
        "key": {"kid": format!("{KEY}/{V1}"), "kty": "RSA-HSM", "keyOps": operations, "n": "AQAB"},
        "managed": null, "releasePolicy": null, "tags": {},
    })
}

/// As an item of `az keyvault key list-versions`.
fn listed(version: &str, enabled: bool, expires: Value) -> Value {
    json!({
        "attributes": {"enabled": enabled, "expires": expires, "notBefore": null,
            "recoveryLevel": "Recoverable"},
        "kid": format!("{KEY}/{version}"), "managed": null, "name": "backup", "tags": null,
    })
}

fn told(document: &Value) -> Vec<(String, String)> {
    assert!(is_azure(document), "{document}");
    read_recorded(document, at())
        .unwrap()
        .into_iter()
        .map(|observation| {
            assert_eq!(
                (observation.at, observation.endpoint.as_str()),
                (at(), "recorded")
            );
            assert_eq!(observation.identity, None);
            let date = observation.condition.date();
            let date = date.map(|date| format!(" {date}")).unwrap_or_default();
            let word = format!("{}{date}", observation.condition.word());
            (observation.key.to_string(), word)
        })
        .collect()
}

#[test]
fn each_answer_of_the_azure_cli_is_read_by_the_rules_of_live_ones() {
    let all = || json!(["encrypt", "decrypt", "wrapKey", "unwrapKey"]);
    let one = |version: &str, word: &str| (format!("{KEY}/{version}"), word.to_owned());
    let passed = json!("2026-10-31T00:00:00+00:00");
    let ahead = json!("2027-01-01T00:00:00+00:00");
    assert_eq!(told(&show(true, Value::Null, all())), [one(V1, "enabled")]);
    assert_eq!(
        told(&show(true, ahead, all())),
        [one(V1, "enabled 2027-01-01T00:00:00Z")]
    );
    assert_eq!(
        told(&show(false, Value::Null, all())),
        [one(V1, "disabled")]
    );
    assert_eq!(
        told(&show(true, passed.clone(), all())),
        [one(V1, "unwrap-only")]
    );
    assert_eq!(
        told(&show(true, Value::Null, json!(["sign"]))),
        [one(V1, "disabled")]
    );
    assert_eq!(
        told(&show(true, Value::Null, Value::Null)),
        [one(V1, "unknown")]
    );

    let versions = json!([listed(V1, false, Value::Null), listed(V2, true, passed)]);
    let expected = [one(V1, "disabled"), one(V2, "unwrap-only")];
    assert_eq!(told(&versions), expected);
    assert_eq!(
        told(&json!({"value": versions, "nextLink": null})),
        expected
    );
    assert_eq!(told(&listed(V2, true, Value::Null)), [one(V2, "enabled")]);

    let mut deleted = show(true, Value::Null, all());
    deleted["deletedDate"] = json!("2026-10-30T12:00:00+00:00");
    deleted["scheduledPurgeDate"] = json!("2027-01-28T12:00:00+00:00");
    deleted["recoveryId"] = json!("https://payments.vault.azure.net/deletedkeys/backup");
    assert_eq!(
        told(&deleted),
        [one(V1, "soft-deleted 2027-01-28T12:00:00Z")]
    );
}

#[test]
fn what_names_no_version_is_refused_with_the_reason() {
    let recovery = json!({"recoveryId": "https://payments.vault.azure.net/deletedkeys/backup",
        "attributes": {"enabled": true}});
    let mut aws = show(true, Value::Null, json!([]));
    aws["key"]["kid"] = json!("arn:aws:kms:eu-west-1:111122223333:key/x");
    let table = [
        (recovery, "names no version"),
        (
            json!({"key": {"kid": KEY}, "attributes": {}}),
            "no version of a key",
        ),
        (
            json!({"key": {"kid": format!("{KEY}/{V1}")}}),
            "no `attributes`",
        ),
        (
            json!({"kid": 7, "attributes": {}}),
            "no answer of `az keyvault key`",
        ),
        (aws, "no version of a key"),
    ];
    for (document, expected) in table {
        let error = read_recorded(&document, at()).unwrap_err();
        assert!(error.contains(expected), "{document}: {error}");
    }
    assert!(!is_azure(&json!({"KeyMetadata": {}})));
    assert!(!is_azure(&json!([])));
}
