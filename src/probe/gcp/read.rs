//! What an answer of Google Cloud KMS means. Pure: facts of one answer in, one observation out; it
//! asks nothing and reads no clock.
//!
//! The states are those of the Cloud KMS API reference (`CryptoKeyVersionState`), words verbatim; a
//! state that came as a number nobody knows is that number. What the key as a whole allows
//! (`CryptoKey`: access justifications, purpose, backend) can only take away from `ENABLED`.
//! Nothing here turns a missing or contradictory field into `enabled`.

use super::failure::redact;
use crate::model::evidence::{Condition, Observation, UnknownReason};
use crate::model::key_id::GcpKey;
use crate::model::{KeyId, Match, Spelling, Timestamp};

/// The fields of a `CryptoKeyVersion` that snapkey looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Version {
    pub name: String,
    pub state: String,
    pub protection_level: String,
    /// `externalProtectionLevelOptions` is there: the material is outside Google.
    pub external_options: bool,
    pub destroy_time: Option<Timestamp>,
    pub destroy_event_time: Option<Timestamp>,
    pub reimport_eligible: bool,
    /// Whichever of the three failure reasons the answer has.
    pub failure_reason: Option<String>,
}

/// The fields of a `CryptoKey` that qualify the state of its versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    pub name: String,
    pub purpose: String,
    /// `cryptoKeyBackend`: an external key manager's connection, or a single-tenant HSM.
    pub backend: String,
    /// `keyAccessJustificationsPolicy`, if the key has one. An empty list denies everything.
    pub allowed_access_reasons: Option<Vec<String>>,
}

/// What is known of the key that a version belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AboutKey {
    Told(Key),
    /// No answer came: what it would have said is unknown.
    Failed(UnknownReason, Option<String>),
    /// A recorded answer of `gcloud kms keys versions` counts without it: it has no place for it,
    /// and whoever recorded it asked about the version alone. Never of a live probe.
    NotRecorded,
}

/// When, where and by whom the question was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub at: Timestamp,
    pub endpoint: String,
    pub identity: Option<String>,
}

impl Asked {
    pub(super) fn observation(
        &self,
        key: &KeyId,
        condition: Condition,
        native: Option<String>,
    ) -> Observation {
        Observation {
            key: key.clone(),
            at: self.at,
            condition,
            native,
            endpoint: self.endpoint.clone(),
            identity: self.identity.clone(),
            related: Vec::new(),
            stale_at: None,
        }
    }
}

/// Whether the key must be asked about before the version's answer can be read: only a version that
/// claims to be usable may still be kept from it by its key.
pub(super) fn needs_key(version: &Version) -> bool {
    matches!(read_version_state(version), Condition::Enabled { .. })
}

/// Reads the answer about `key`. One about another version is `unknown(malformed)`.
pub(super) fn read_version(
    key: &KeyId,
    version: &Version,
    about_key: &AboutKey,
    asked: &Asked,
) -> Observation {
    let native = (!version.state.is_empty()).then(|| redact(&version.state));
    if !is_spelled(key, &version.name) {
        let why = format!("the answer is about `{}`", redact(&version.name));
        return asked.observation(key, malformed(why), native);
    }
    let condition = match read_version_state(version) {
        Condition::Enabled { .. } => read_about_key(key, about_key),
        other @ (Condition::UnwrapOnly { .. }
        | Condition::Disabled
        | Condition::PendingDeletion { .. }
        | Condition::SoftDeleted { .. }
        | Condition::MaterialMissing
        | Condition::Unavailable { .. }
        | Condition::Transient
        | Condition::Destroyed { .. }
        | Condition::Unknown { .. }) => other,
    };
    Observation {
        stale_at: version.destroy_time.filter(|date| *date > asked.at),
        ..asked.observation(key, condition, native)
    }
}

/// Whether `name` spells this version. A project's number and its id are aliases: the service may
/// answer with the other one.
pub(super) fn is_spelled(key: &KeyId, name: &str) -> bool {
    let asked_about = Spelling::Complete(key.clone());
    match Spelling::read(name) {
        named @ Spelling::Complete(_) => match asked_about.compare(&named) {
            Match::Same | Match::Agrees | Match::Possible => true,
            Match::Different => false,
        },
        Spelling::AwsId { .. }
        | Spelling::AwsAlias(_)
        | Spelling::AzureKey(_)
        | Spelling::AzureVersion(_)
        | Spelling::GcpKey(_)
        | Spelling::Opaque(_) => false,
    }
}

fn read_version_state(version: &Version) -> Condition {
    match version.state.as_str() {
        "ENABLED" => read_enabled(version),
        "DISABLED" => Condition::Disabled,
        // Rounded down: act before that second.
        "DESTROY_SCHEDULED" => Condition::PendingDeletion {
            deadline: version.destroy_time,
        },
        // "May only become ENABLED again if this version is reimport_eligible and the original
        // key material is reimported."
        "DESTROYED" if version.reimport_eligible => Condition::MaterialMissing,
        "DESTROYED" => Condition::Destroyed {
            proof: match version.destroy_event_time {
                Some(date) => format!("Google: DESTROYED on {date}, not eligible for reimport"),
                None => "Google: DESTROYED, not eligible for reimport".to_owned(),
            },
        },
        "PENDING_EXTERNAL_DESTRUCTION" => Condition::Destroyed {
            proof: "Google: destroyed, its material waits for destruction in the external key \
                    manager"
                .to_owned(),
        },
        // The external copy may remain; it cannot be attached to this version again.
        "EXTERNAL_DESTRUCTION_FAILED" => Condition::Destroyed {
            proof: "Google: destroyed; the external key manager did not confirm the same"
                .to_owned(),
        },
        "PENDING_GENERATION" | "PENDING_IMPORT" => Condition::Transient,
        state @ ("IMPORT_FAILED" | "GENERATION_FAILED") => Condition::Unknown {
            reason: UnknownReason::Unsupported,
            detail: Some(match version.failure_reason.as_deref().map(redact) {
                Some(why) if !why.is_empty() => {
                    format!("the version has no key material: {state}, {why}")
                }
                Some(_) | None => format!("the version has no key material: {state}"),
            }),
        },
        "" | "CRYPTO_KEY_VERSION_STATE_UNSPECIFIED" => {
            malformed("the answer names no `state`".to_owned())
        }
        other => Condition::Unknown {
            reason: UnknownReason::UnrecognisedState,
            detail: Some(format!("`state` is `{}`", redact(other))),
        },
    }
}

/// A version whose state says that it can decrypt: whether that may be believed.
fn read_enabled(version: &Version) -> Condition {
    // Restoring a version clears the date, and a destroyed one cannot be enabled.
    if version.destroy_time.is_some() || version.destroy_event_time.is_some() {
        return malformed(
            "`state` is `ENABLED`, but the answer has a date of destruction".to_owned(),
        );
    }
    match version.protection_level.as_str() {
        "SOFTWARE" | "HSM" if version.external_options => unverified(
            "the version has settings of an external key manager, where its material may be gone"
                .to_owned(),
        ),
        "SOFTWARE" | "HSM" => Condition::Enabled { expires: None },
        "" | "PROTECTION_LEVEL_UNSPECIFIED" => {
            malformed("the answer names no `protectionLevel`".to_owned())
        }
        // EXTERNAL, EXTERNAL_VPC: the key manager is another company's, and asking it to decrypt
        // may disable the version. HSM_SINGLE_TENANT: an instance that can be switched off.
        other => unverified(format!(
            "`protectionLevel` is `{}`: the material is elsewhere and may be gone",
            redact(other)
        )),
    }
}

/// What the key as a whole takes away from an enabled version.
fn read_about_key(key: &KeyId, about: &AboutKey) -> Condition {
    let told = match about {
        AboutKey::NotRecorded => return Condition::Enabled { expires: None },
        AboutKey::Failed(reason, why) => {
            let why = why.as_deref().unwrap_or(reason.word());
            return Condition::Unknown {
                reason: *reason,
                detail: Some(format!(
                    "the version is `ENABLED`, but what its key allows could not be read: {why}"
                )),
            };
        }
        AboutKey::Told(told) => told,
    };
    if !is_key_of(key, &told.name) {
        return malformed(format!(
            "the answer is about the key `{}`",
            redact(&told.name)
        ));
    }
    if !told.backend.is_empty() {
        return unverified(format!(
            "the key's backend is `{}`, where its material may be gone",
            redact(&told.backend)
        ));
    }
    match told.purpose.as_str() {
        "ENCRYPT_DECRYPT" => {}
        "" | "CRYPTO_KEY_PURPOSE_UNSPECIFIED" => {
            return malformed("the answer names no `purpose` of the key".to_owned());
        }
        other => {
            return Condition::Unknown {
                reason: UnknownReason::Unsupported,
                detail: Some(format!(
                    "the key's purpose is `{}`: no backup can be under it",
                    redact(other)
                )),
            };
        }
    }
    match told.allowed_access_reasons.as_deref() {
        None => Condition::Enabled { expires: None },
        // "If allowed_access_reasons is empty, all encrypt, decrypt, and sign operations fail."
        Some([]) => Condition::Disabled,
        // The reason that is given for a caller whom the key's own IAM policy lets in.
        Some(reasons)
            if reasons
                .iter()
                .any(|reason| reason == "CUSTOMER_INITIATED_ACCESS") =>
        {
            Condition::Enabled { expires: None }
        }
        Some(reasons) => Condition::Unknown {
            reason: UnknownReason::Unsupported,
            detail: Some(format!(
                "the key's access justifications allow {} only: whether a restore is let in is \
                 not known",
                redact(&reasons.join(", "))
            )),
        },
    }
}

fn is_key_of(version: &KeyId, name: &str) -> bool {
    let KeyId::Gcp(version) = version else {
        return false;
    };
    let Spelling::GcpKey(named) = Spelling::read(name) else {
        return false;
    };
    named
        .at_version(version.version())
        .is_some_and(|named| is_spelled(&KeyId::Gcp(version.clone()), &named.to_string()))
}

/// One entry of `ListRetiredResources`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Retired {
    pub original_resource: String,
    pub delete_time: Option<Timestamp>,
}

/// The proof that a key was deleted with all its versions, if the record of a deleted key is
/// about this one, to the letter: its name can never be used again (`RetiredResource`).
pub(super) fn read_retired(key: &GcpKey, retired: &Retired) -> Option<Condition> {
    let same = Spelling::read(&retired.original_resource) == Spelling::GcpKey(key.clone());
    same.then(|| Condition::Destroyed {
        proof: match retired.delete_time {
            Some(date) => format!("Google: the key was deleted on {date} (retired resource)"),
            None => "Google: the key was deleted (retired resource)".to_owned(),
        },
    })
}

fn malformed(why: String) -> Condition {
    Condition::Unknown {
        reason: UnknownReason::Malformed,
        detail: Some(why),
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
