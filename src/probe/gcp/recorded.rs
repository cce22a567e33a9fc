//! Answers of `gcloud kms keys versions describe` and `list` (`--format=json`) that somebody
//! recorded, read by the same rules as live ones.

use google_cloud_kms_v1::model::CryptoKeyVersion;
use serde::Deserialize;
use serde_json::Value;

use super::failure::redact;
use super::read::{AboutKey, Asked, read_version};
use super::sdk::own_version;
use crate::model::evidence::Observation;
use crate::model::{KeyId, Timestamp};

/// The endpoint of an observation that was read from a file.
const RECORDED: &str = "recorded";

/// Whether a document is for [`read_recorded`]: one key version, or a list of them.
pub fn is_google(document: &Value) -> bool {
    let first = match document {
        Value::Array(versions) => versions.first(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Some(document)
        }
    };
    first
        .and_then(|version| version.get("name"))
        .and_then(Value::as_str)
        .is_some_and(|name| name.contains("/cryptoKeyVersions/"))
}

/// Reads one version as `gcloud` prints it, or a list of them, answered at `at`. What the key as a
/// whole allows (access justifications) is not in there: only a live probe sees it.
///
/// # Errors
/// When the document is no such answer, or names no key version: a line on what is wrong with it.
pub fn read_recorded(document: &Value, at: Timestamp) -> Result<Vec<Observation>, String> {
    let versions = match document {
        Value::Array(versions) => versions.as_slice(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            std::slice::from_ref(document)
        }
    };
    let asked = Asked {
        at,
        endpoint: RECORDED.to_owned(),
        identity: None,
    };
    versions
        .iter()
        .map(|version| read_one(version, &asked))
        .collect()
}

fn read_one(document: &Value, asked: &Asked) -> Result<Observation, String> {
    let name = document.get("name").and_then(Value::as_str).ok_or(
        "it has no `name`, so it is no answer of `gcloud kms keys versions describe` or `list`",
    )?;
    let key: KeyId = name
        .parse()
        .map_err(|_no_key| format!("its `name` `{}` is no key version", redact(name)))?;
    let KeyId::Gcp(_) = key else {
        return Err(format!("its `name` `{key}` is no key version of Google"));
    };
    let version = CryptoKeyVersion::deserialize(document)
        .map_err(|error| format!("it is malformed: {}", redact(&error.to_string())))?;
    let version = own_version(version)?;
    Ok(read_version(&key, &version, &AboutKey::NotRecorded, asked))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::evidence::Condition;

    const KEY: &str = "projects/payments/locations/europe-west3/keyRings/atlas/cryptoKeys/backup";

    fn at() -> Timestamp {
        Timestamp::floor("2026-11-01T06:00:00Z").unwrap()
    }

    fn version(number: u32, more: Value) -> Value {
        let mut version = json!({
            "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION",
            "createTime": "2025-03-04T05:06:07.890123456Z",
            "generateTime": "2025-03-04T05:06:07.890123456Z",
            "name": format!("{KEY}/cryptoKeyVersions/{number}"),
            "protectionLevel": "SOFTWARE",
            "state": "ENABLED",
            "somethingNew": {"a": [1]},
        });
        for (name, value) in more.as_object().unwrap() {
            version[name] = value.clone();
        }
        version
    }

    fn short(observation: &Observation) -> String {
        let condition = &observation.condition;
        match (condition, condition.date()) {
            (Condition::Unknown { reason, detail: _ }, _) => format!("unknown {}", reason.word()),
            (_, Some(date)) => format!("{} {date}", condition.word()),
            (_, None) => condition.word().to_owned(),
        }
    }

    #[test]
    fn a_recorded_answer_is_read_by_the_same_rules_as_a_live_one() {
        let table = [
            (json!({}), "enabled"),
            (json!({"protectionLevel": "HSM"}), "enabled"),
            (
                json!({"protectionLevel": "EXTERNAL"}),
                "unknown backing-key-unverified",
            ),
            (json!({"protectionLevel": null}), "unknown malformed"),
            (json!({"state": "DISABLED"}), "disabled"),
            (
                json!({"state": "DESTROY_SCHEDULED", "destroyTime": "2026-12-01T06:00:00.999Z"}),
                "pending-deletion 2026-12-01T06:00:00Z",
            ),
            (json!({"state": "DESTROYED"}), "destroyed"),
            (
                json!({"state": "DESTROYED", "reimportEligible": true}),
                "material-missing",
            ),
            (json!({"state": "PENDING_IMPORT"}), "transient"),
            (
                json!({"state": "HIBERNATING"}),
                "unknown unrecognised-state",
            ),
            (json!({"state": 3}), "destroyed"),
            (json!({"state": 11}), "unknown unrecognised-state"),
            (json!({"state": null}), "unknown malformed"),
        ];
        for (more, expected) in table {
            let read = read_recorded(&version(7, more.clone()), at()).unwrap();
            let [observation] = read.as_slice() else {
                panic!("{read:?}");
            };
            assert_eq!(short(observation), expected, "{more}");
            assert_eq!(observation.endpoint, "recorded");
            assert_eq!((observation.at, &observation.identity), (at(), &None));
        }
    }

    #[test]
    fn a_list_answers_for_each_version() {
        let list = json!([
            version(1, json!({"state": "DISABLED"})),
            version(2, json!({}))
        ]);
        let told: Vec<(String, String)> = read_recorded(&list, at())
            .unwrap()
            .iter()
            .map(|observation| (observation.key.to_string(), short(observation)))
            .collect();
        assert_eq!(
            told,
            [
                (format!("{KEY}/cryptoKeyVersions/1"), "disabled".to_owned()),
                (format!("{KEY}/cryptoKeyVersions/2"), "enabled".to_owned()),
            ]
        );
        assert_eq!(read_recorded(&json!([]), at()), Ok(Vec::new()));
    }

    #[test]
    fn what_names_no_key_version_is_refused_with_the_reason() {
        let table = [
            (json!({}), "no `name`"),
            (json!("ENABLED"), "no `name`"),
            (json!([[version(1, json!({}))]]), "no `name`"),
            (json!({"name": 7}), "no `name`"),
            (
                json!({"name": KEY, "purpose": "ENCRYPT_DECRYPT"}),
                "no key version",
            ),
            (
                json!({"name": "kmip://server/7"}),
                "no key version of Google",
            ),
            (version(7, json!({"state": ["ENABLED"]})), "malformed"),
            (version(7, json!({"destroyTime": "soon"})), "malformed"),
            (version(7, json!({"reimportEligible": "yes"})), "malformed"),
            (
                version(7, json!({"destroyTime": "1969-12-31T00:00:00Z"})),
                "`destroyTime`",
            ),
        ];
        for (document, expected) in table {
            let error = read_recorded(&document, at()).unwrap_err();
            assert!(error.contains(expected), "{document}: {error}");
        }
    }
}
