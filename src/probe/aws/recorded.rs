//! Answers of `aws kms describe-key` that somebody recorded, read by the same rules as live ones.
//! Only the JSON's own shape is here.

use serde::Deserialize;
use serde_json::Value;

use super::failure::redact;
use super::read::{Asked, KeyMetadata, Materials, read_describe_key};
use crate::model::evidence::Observation;
use crate::model::{KeyId, Timestamp};

/// The endpoint of an observation that was read from a file.
const RECORDED: &str = "recorded";

/// Reads one document as `aws kms describe-key` prints it, given at `at`. The CLI writes times as
/// RFC 3339 text or, in its first version and in raw API answers, as seconds since 1970.
///
/// # Errors
/// When the document is no such answer, or names no key: a line on what is wrong with it.
pub fn read_recorded(document: &Value, at: Timestamp) -> Result<Vec<Observation>, String> {
    let metadata = document
        .get("KeyMetadata")
        .ok_or("it has no `KeyMetadata`, so it is no answer of `aws kms describe-key`")?;
    if !metadata.is_object() {
        return Err("its `KeyMetadata` is no object".to_owned());
    }
    let wire = Wire::deserialize(metadata).map_err(|error| {
        format!(
            "its `KeyMetadata` is malformed: {}",
            redact(&error.to_string())
        )
    })?;
    let arn = wire
        .arn
        .as_deref()
        .ok_or("its `KeyMetadata` has no `Arn`")?;
    let key: KeyId = arn
        .parse()
        .map_err(|_no_key| format!("its `Arn` `{}` is no key ARN", redact(arn)))?;
    if key.aws().is_none() {
        return Err(format!("its `Arn` `{key}` is no key ARN of AWS"));
    }
    let metadata = wire.lower()?;
    let asked = Asked {
        at,
        endpoint: RECORDED.to_owned(),
        identity: None,
    };
    // Only a live probe can list the materials; the answer's own `ValidTo` covers them all.
    Ok(vec![read_describe_key(
        &key,
        &metadata,
        &Materials::NotTold,
        None,
        asked,
    )])
}

/// `KeyMetadata` as the API spells it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    arn: Option<String>,
    key_id: Option<String>,
    #[serde(rename = "AWSAccountId")]
    account: Option<String>,
    key_state: Option<String>,
    enabled: Option<bool>,
    deletion_date: Option<Value>,
    valid_to: Option<Value>,
    expiration_model: Option<String>,
    origin: Option<String>,
    custom_key_store_id: Option<String>,
    multi_region_configuration: Option<WireRegions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireRegions {
    primary_key: Option<WireRegion>,
    replica_keys: Option<Vec<WireRegion>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireRegion {
    arn: Option<String>,
}

impl Wire {
    fn lower(self) -> Result<KeyMetadata, String> {
        let related = self
            .multi_region_configuration
            .map(|regions| {
                regions
                    .primary_key
                    .into_iter()
                    .chain(regions.replica_keys.unwrap_or_default())
                    .filter_map(|region| region.arn)
                    .collect()
            })
            .unwrap_or_default();
        Ok(KeyMetadata {
            arn: self.arn,
            key_id: self.key_id,
            account: self.account,
            state: self.key_state,
            enabled: self.enabled,
            deletion_date: date(self.deletion_date.as_ref(), "DeletionDate")?,
            valid_to: date(self.valid_to.as_ref(), "ValidTo")?,
            expiration_model: self.expiration_model,
            origin: self.origin,
            custom_key_store: self.custom_key_store_id,
            related,
        })
    }
}

/// Fractions of a second are dropped: every one of these dates is one to act before.
fn date(value: Option<&Value>, field: &str) -> Result<Option<Timestamp>, String> {
    let read = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => Timestamp::floor(text).ok(),
        // Its text, because a float may not be cast and has at most three decimals here.
        Some(Value::Number(seconds)) => seconds
            .to_string()
            .split('.')
            .next()
            .and_then(|whole| whole.parse().ok())
            .and_then(Timestamp::from_unix),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => None,
    };
    match read {
        Some(read) => Ok(Some(read)),
        None => Err(format!("its `{field}` is no time between 1970 and 9999")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::evidence::{Condition, UnknownReason};

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

    fn time(text: &str) -> Timestamp {
        Timestamp::floor(text).unwrap()
    }

    fn at() -> Timestamp {
        time("2026-11-01T06:00:00Z")
    }

    fn document(more: Value) -> Value {
        let mut metadata = json!({
            "AWSAccountId": "111122223333", "Arn": KEY,
            "KeyId": "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
            "CreationDate": "2025-01-01T00:00:00+00:00", "Enabled": false,
            "KeyState": "PendingDeletion", "Origin": "AWS_KMS", "SomethingNew": [1],
        });
        for (name, value) in more.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        json!({ "KeyMetadata": metadata })
    }

    #[test]
    fn dates_come_as_text_or_as_seconds() {
        let expected = time("2026-11-21T13:46:39Z");
        for date in [
            json!("2026-11-21T13:46:39Z"),
            json!("2026-11-21T14:46:39.917000+01:00"),
            json!(1_795_268_799),
            json!(1_795_268_799.917),
            json!(1_795_268_799.0),
        ] {
            let read = read_recorded(&document(json!({"DeletionDate": date})), at()).unwrap();
            let [observation] = read.as_slice() else {
                panic!("{read:?}");
            };
            assert_eq!(
                observation.condition,
                Condition::PendingDeletion {
                    deadline: Some(expected)
                },
                "{date}"
            );
            assert_eq!(observation.stale_at, Some(expected));
            assert_eq!(observation.endpoint, "recorded");
            assert_eq!(observation.identity, None);
            assert_eq!(observation.at, at());
        }
    }

    #[test]
    fn a_recorded_answer_is_read_by_the_same_rules_as_a_live_one() {
        let enabled = |more: Value| {
            let mut over = json!({"KeyState": "Enabled", "Enabled": true});
            for (name, value) in more.as_object().unwrap() {
                over[name] = value.clone();
            }
            read_recorded(&document(over), at()).unwrap().remove(0)
        };
        assert_eq!(
            enabled(json!({})).condition,
            Condition::Enabled { expires: None }
        );
        for contradiction in [
            json!({"Enabled": false}),
            json!({"Origin": null}),
            json!({"KeyState": null}),
            json!({"AWSAccountId": "999988887777"}),
        ] {
            let Condition::Unknown { reason, detail: _ } = enabled(contradiction.clone()).condition
            else {
                panic!("{contradiction}");
            };
            assert_eq!(reason, UnknownReason::Malformed, "{contradiction}");
        }
        let custom = enabled(json!({"CustomKeyStoreId": "cks-1", "Origin": "AWS_CLOUDHSM"}));
        assert_eq!(custom.condition.reason().unwrap(), "backing-key-unverified");
    }

    #[test]
    fn what_names_no_key_is_refused_with_the_reason() {
        let table = [
            (json!({}), "no `KeyMetadata`"),
            (json!([1]), "no `KeyMetadata`"),
            (json!({"KeyMetadata": [KEY]}), "no object"),
            (json!({"KeyMetadata": {"KeyState": "Enabled"}}), "no `Arn`"),
            (document(json!({"Arn": "alias/mine"})), "no key ARN"),
            (document(json!({"Arn": "kmip://server/7"})), "no key ARN"),
            (document(json!({"Enabled": "yes"})), "malformed"),
            (document(json!({"DeletionDate": "soon"})), "`DeletionDate`"),
            (document(json!({"DeletionDate": 1e30})), "`DeletionDate`"),
            (document(json!({"ValidTo": -5})), "`ValidTo`"),
            (document(json!({"ValidTo": []})), "`ValidTo`"),
        ];
        for (document, expected) in table {
            let error = read_recorded(&document, at()).unwrap_err();
            assert!(error.contains(expected), "{document}: {error}");
        }
    }
}
