//! What an answer of AWS KMS means. Pure: facts of one answer in, one observation out; it asks
//! nothing and reads no clock.
//!
//! The states are those of the KMS developer guide ("Key states of AWS KMS keys") and of the API
//! reference (`KeyMetadata`). Nothing here turns a missing or contradictory field into `enabled`.

use super::failure::redact;
use crate::model::evidence::{Condition, Observation, UnknownReason};
use crate::model::{KeyId, Timestamp};

/// The fields of a `KeyMetadata` that snapkey looks at; words verbatim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyMetadata {
    pub arn: Option<String>,
    pub key_id: Option<String>,
    pub account: Option<String>,
    pub state: Option<String>,
    pub enabled: Option<bool>,
    pub deletion_date: Option<Timestamp>,
    pub valid_to: Option<Timestamp>,
    pub expiration_model: Option<String>,
    pub origin: Option<String>,
    pub custom_key_store: Option<String>,
    /// ARNs that `MultiRegionConfiguration` lists, the key's own among them.
    pub related: Vec<String>,
}

/// One entry of `ListKeyRotations` with `IncludeKeyMaterial=ALL_KEY_MATERIAL`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Material {
    pub import_state: Option<String>,
    pub state: Option<String>,
    pub expiration_model: Option<String>,
    pub valid_to: Option<Timestamp>,
}

/// What is known of the imported materials of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Materials {
    /// Not asked, or the service may not say: another account's key, no permission, a service
    /// without the call. `DescribeKey` then counts alone; its `ValidTo` is documented as the
    /// earliest of all materials, and its state as `PendingImport` when any is missing.
    NotTold,
    Listed(Vec<Material>),
    /// Asked, and no answer came: what it would have said is unknown.
    Failed(UnknownReason, Option<String>),
}

/// What `DescribeCustomKeyStores` says of the store that a key is in; words verbatim. A store that
/// could not be asked about is not told apart from one that nobody asked about: connected or not,
/// a key in it is never more than unverified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyStore {
    /// `ConnectionState`
    pub connection: Option<String>,
    /// `ConnectionErrorCode`
    pub error: Option<String>,
}

impl KeyStore {
    /// "Keys cannot be used unless the store is connected" (KMS developer guide, "Disconnect a
    /// custom key store"; API reference, `CustomKeyStoresListEntry`). One that is being connected
    /// settles nothing yet.
    fn is_out_of_reach(&self) -> bool {
        matches!(
            self.connection.as_deref(),
            Some("DISCONNECTED" | "DISCONNECTING" | "FAILED")
        )
    }

    fn words(&self) -> String {
        let words = [&self.connection, &self.error];
        let words: Vec<String> = words
            .into_iter()
            .flatten()
            .map(|word| redact(word))
            .collect();
        words.join(", ")
    }
}

/// When, where and by whom the question was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub at: Timestamp,
    pub endpoint: String,
    pub identity: Option<String>,
}

impl Asked {
    /// The observation of a key about which no answer came, or none that can be used.
    pub(super) fn unknown(
        self,
        key: KeyId,
        reason: UnknownReason,
        detail: Option<String>,
        native: Option<String>,
    ) -> Observation {
        Observation {
            key,
            at: self.at,
            condition: Condition::Unknown { reason, detail },
            native,
            endpoint: self.endpoint,
            identity: self.identity,
            related: Vec::new(),
            stale_at: None,
        }
    }
}

/// Whether the materials must be listed before the answer can be read: only an imported key that
/// claims to be usable may still be missing one.
pub(super) fn needs_materials(metadata: &KeyMetadata) -> bool {
    metadata.origin.as_deref() == Some("EXTERNAL")
        && matches!(metadata.state.as_deref(), Some("Enabled" | "Updating"))
}

/// The custom key store whose connection is worth asking about: that of a key which claims to be
/// usable, or which KMS calls unavailable. The other states are shown with nothing besides.
pub(super) fn store_to_ask_about(metadata: &KeyMetadata) -> Option<&str> {
    match metadata.state.as_deref() {
        Some("Enabled" | "Updating" | "Unavailable") => metadata.custom_key_store.as_deref(),
        Some(_) | None => None,
    }
}

/// Reads the answer about `key`. An answer about any other key, or one that contradicts itself,
/// is `unknown(malformed)`: an emulator or a proxy that answers `Enabled` for another account's
/// key must not make this one usable.
pub(super) fn read_describe_key(
    key: &KeyId,
    metadata: &KeyMetadata,
    materials: &Materials,
    store: Option<&KeyStore>,
    asked: Asked,
) -> Observation {
    let native = metadata.state.as_deref().map(redact);
    let related = match identify(key, metadata) {
        Ok(related) => related,
        Err(why) => {
            return asked.unknown(key.clone(), UnknownReason::Malformed, Some(why), native);
        }
    };
    let material = read_materials(materials, asked.at);
    let condition = read_state(metadata, &material, store, asked.at);
    // A state without a date of its own can still be ended by one: material of a disabled key
    // expires as well.
    let stale_at = [
        metadata.deletion_date,
        metadata.valid_to,
        material.earliest_expiry,
    ]
    .into_iter()
    .flatten()
    .filter(|date| *date > asked.at)
    .min();
    Observation {
        key: key.clone(),
        at: asked.at,
        condition,
        native,
        endpoint: asked.endpoint,
        identity: asked.identity,
        related,
        stale_at,
    }
}

/// Checks that the answer is about `key` and gives the other keys it calls related.
fn identify(key: &KeyId, metadata: &KeyMetadata) -> Result<Vec<KeyId>, String> {
    let Some(aws) = key.aws() else {
        return Err(format!("`{key}` is no AWS key"));
    };
    let Some(arn) = metadata.arn.as_deref() else {
        return Err("the answer names no `Arn`".to_owned());
    };
    if arn.parse::<KeyId>().as_ref() != Ok(key) {
        return Err(format!("the answer is about `{}`", redact(arn)));
    }
    if metadata.key_id.as_deref().is_some_and(|id| id != aws.id()) {
        return Err("the answer's `KeyId` is not that of its `Arn`".to_owned());
    }
    if metadata
        .account
        .as_deref()
        .is_some_and(|account| account != aws.account())
    {
        return Err("the answer's `AWSAccountId` is not that of its `Arn`".to_owned());
    }
    let mut related = Vec::new();
    for arn in &metadata.related {
        match arn.parse::<KeyId>() {
            Ok(other) if other == *key => {}
            Ok(other) if other.is_related(key) => related.push(other),
            Ok(_) | Err(_) => {
                return Err(format!(
                    "the answer calls `{}` a related key, which it cannot be",
                    redact(arn)
                ));
            }
        }
    }
    related.sort();
    related.dedup();
    Ok(related)
}

/// What the materials say together.
#[derive(Debug, Default, PartialEq, Eq)]
struct MaterialSummary {
    missing: bool,
    earliest_expiry: Option<Timestamp>,
    unknown: Option<(UnknownReason, Option<String>)>,
}

fn read_materials(materials: &Materials, at: Timestamp) -> MaterialSummary {
    let listed = match materials {
        Materials::NotTold => return MaterialSummary::default(),
        Materials::Failed(reason, detail) => {
            return MaterialSummary {
                unknown: Some((*reason, detail.clone())),
                ..MaterialSummary::default()
            };
        }
        Materials::Listed(listed) => listed,
    };
    let mut summary = MaterialSummary::default();
    // Material that waits for a rotation is not yet part of the key ("not permanently
    // associated", API reference `RotationsListEntry`): nothing was ever encrypted under it.
    let in_use = listed.iter().filter(|material| {
        !matches!(
            material.state.as_deref(),
            Some("PENDING_ROTATION" | "PENDING_MULTI_REGION_IMPORT_AND_ROTATION")
        )
    });
    for material in in_use {
        match material.import_state.as_deref() {
            Some("IMPORTED") | None => {}
            Some("PENDING_IMPORT") => summary.missing = true,
            Some(other) => {
                summary.unknown = Some((
                    UnknownReason::UnrecognisedState,
                    Some(format!("key material is `{}`", redact(other))),
                ));
            }
        }
        match (material.expiration_model.as_deref(), material.valid_to) {
            (_, Some(date)) => {
                summary.missing |= date <= at;
                summary.earliest_expiry = Some(
                    summary
                        .earliest_expiry
                        .map_or(date, |early| early.min(date)),
                );
            }
            (Some("KEY_MATERIAL_EXPIRES"), None) => {
                summary.unknown = Some((
                    UnknownReason::Malformed,
                    Some("key material expires, but its `ValidTo` is missing".to_owned()),
                ));
            }
            (_, None) => {}
        }
    }
    summary
}

fn read_state(
    metadata: &KeyMetadata,
    material: &MaterialSummary,
    store: Option<&KeyStore>,
    at: Timestamp,
) -> Condition {
    let Some(state) = metadata.state.as_deref() else {
        return malformed("the answer names no `KeyState`");
    };
    match state {
        // `Updating` is a change of the primary Region: decryption goes on, and `Enabled` is
        // documented as false then.
        "Enabled" if metadata.enabled == Some(false) => {
            malformed("`KeyState` is `Enabled`, but `Enabled` is false")
        }
        "Enabled" | "Updating" => read_usable(metadata, material, store, at),
        "Disabled" => Condition::Disabled,
        // Rounded down: act before that second.
        "PendingDeletion" => Condition::PendingDeletion {
            deadline: metadata.deletion_date,
        },
        // A primary key that waits for its replicas: the waiting period has not begun, and no
        // date is documented. One that an emulator sends is no deadline, and above all no date
        // after which "not found" would prove destruction.
        "PendingReplicaDeletion" => Condition::PendingDeletion { deadline: None },
        "PendingImport" => Condition::MaterialMissing,
        "Unavailable" => Condition::Unavailable {
            what: Some(match &metadata.custom_key_store {
                Some(id) => match store.map(KeyStore::words).filter(|words| !words.is_empty()) {
                    Some(words) => format!("custom key store `{}` is {words}", redact(id)),
                    None => format!("custom key store `{}` is disconnected", redact(id)),
                },
                None => "the custom key store is disconnected".to_owned(),
            }),
        },
        "Creating" => Condition::Transient,
        other => Condition::Unknown {
            reason: UnknownReason::UnrecognisedState,
            detail: Some(format!("`KeyState` is `{}`", redact(other))),
        },
    }
}

/// A key whose state says that it can decrypt: whether that may be believed.
fn read_usable(
    metadata: &KeyMetadata,
    material: &MaterialSummary,
    store: Option<&KeyStore>,
    at: Timestamp,
) -> Condition {
    if let Some(id) = &metadata.custom_key_store {
        let id = redact(id);
        let words = store.map(KeyStore::words).unwrap_or_default();
        if store.is_some_and(KeyStore::is_out_of_reach) {
            return Condition::Unavailable {
                what: Some(format!("custom key store `{id}` is {words}")),
            };
        }
        let is = if words.is_empty() {
            String::new()
        } else {
            format!(" ({words})")
        };
        return unverified(format!(
            "the key is in custom key store `{id}`{is}, whose own key may be gone"
        ));
    }
    match metadata.origin.as_deref() {
        Some("AWS_KMS" | "EXTERNAL") => {}
        Some(other) => {
            return unverified(format!(
                "the key's origin is `{}`, where its backing key may be gone",
                redact(other)
            ));
        }
        None => return malformed("the answer names no `Origin`"),
    }
    let expires = match (metadata.valid_to, material.earliest_expiry) {
        (Some(key), Some(material)) => Some(key.min(material)),
        (key, material) => key.or(material),
    };
    // KMS moves such a key to `PendingImport` at once; an answer that has not caught up, or a
    // clock that runs ahead, is no reason to call it usable.
    if material.missing || expires.is_some_and(|date| date <= at) {
        return Condition::MaterialMissing;
    }
    if let Some((reason, detail)) = &material.unknown {
        return Condition::Unknown {
            reason: *reason,
            detail: detail.clone(),
        };
    }
    if metadata.expiration_model.as_deref() == Some("KEY_MATERIAL_EXPIRES") && expires.is_none() {
        return malformed("key material expires, but `ValidTo` is missing");
    }
    Condition::Enabled { expires }
}

fn malformed(why: &str) -> Condition {
    Condition::Unknown {
        reason: UnknownReason::Malformed,
        detail: Some(why.to_owned()),
    }
}

fn unverified(why: String) -> Condition {
    Condition::Unknown {
        reason: UnknownReason::BackingKeyUnverified,
        detail: Some(why),
    }
}

#[cfg(test)]
mod tests;
