//! What an answer of Key Vault or Managed HSM means. Pure: a body in, facts and a condition out; it
//! asks nothing and reads no clock.
//!
//! Azure has no state word: the state follows from `enabled`, the dates, the key operations, and
//! from which of `/keys` and `/deletedkeys` knows the key (Key Vault, "About keys": key attributes,
//! date-time controlled operations; "Soft-delete overview"). Nothing here turns a missing or
//! contradictory field into `enabled`.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::evidence::{Condition, Observation, UnknownReason};
use crate::model::key_id::{AzureKey, AzureKeyVersion};
use crate::model::{KeyId, Spelling, Timestamp};
use crate::probe::text::redact;

use super::failure::{Failure, Meaning};

/// When, where and by whom the question was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub at: Timestamp,
    /// The service's clock: a date that either clock says has passed, has passed.
    pub service_at: Option<Timestamp>,
    pub endpoint: String,
    pub identity: Option<String>,
}

/// What an answer says of one version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub enabled: Option<bool>,
    pub not_before: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    pub recovery_level: Option<String>,
    pub operations: Operations,
    /// The material is in an HSM outside Azure.
    pub external: bool,
}

/// What the key may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operations {
    /// The form of the answer, a list of versions, never names them.
    NotInAList,
    /// The answer should name them and does not.
    Missing,
    Named(Vec<String>),
}

/// One page of a list of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub versions: Vec<(AzureKeyVersion, Facts)>,
    pub next: Option<String>,
}

/// What `/deletedkeys` says of a key, all its versions included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deleted {
    pub key: AzureKey,
    /// The version that the answer happens to show: the newest.
    pub shown: Option<AzureKeyVersion>,
    pub purge: Option<Timestamp>,
    pub recovery_level: Option<String>,
}

/// A key, a list item or a deleted key, as the API or the Azure CLI spells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireKey {
    key: Option<WireJwk>,
    kid: Option<String>,
    attributes: Option<WireAttributes>,
    recovery_id: Option<String>,
    scheduled_purge_date: Option<Value>,
    deleted_date: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct WireJwk {
    kid: Option<String>,
    #[serde(alias = "keyOps")]
    key_ops: Option<Vec<String>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAttributes {
    enabled: Option<bool>,
    #[serde(alias = "notBefore")]
    nbf: Option<Value>,
    #[serde(alias = "expires")]
    exp: Option<Value>,
    recovery_level: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePage {
    value: Vec<WireKey>,
    next_link: Option<String>,
}

/// Reads a page of `GET /keys/{name}/versions` about `key`.
pub(super) fn read_page(key: &AzureKey, body: &[u8]) -> Result<Page, String> {
    let page: WirePage = parse(body)?;
    let versions = page
        .value
        .into_iter()
        .map(|item| item.listed())
        .map(|item| match item {
            Ok((version, _)) if version.key() != key => {
                Err(format!("the list is about `{version}`"))
            }
            item => item,
        })
        .collect::<Result<_, _>>()?;
    Ok(Page {
        versions,
        next: page.next_link.filter(|next| !next.is_empty()),
    })
}

/// Reads the answer to `GET /keys/{name}/{version}` about `version`.
pub(super) fn read_key(version: &AzureKeyVersion, body: &[u8]) -> Result<Facts, String> {
    let (shown, facts) = parse::<WireKey>(body)?.shown()?;
    if shown != *version {
        return Err(format!("the answer is about `{shown}`"));
    }
    Ok(facts)
}

/// Reads the answer to `GET /deletedkeys/{name}` about `key`.
pub(super) fn read_deleted(key: &AzureKey, body: &[u8]) -> Result<Deleted, String> {
    let deleted = parse::<WireKey>(body)?.deleted()?;
    if deleted.key != *key {
        return Err(format!("the answer is about `{}`", deleted.key));
    }
    Ok(deleted)
}

fn parse<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| {
        format!(
            "the answer is not Key Vault's: {}",
            redact(&error.to_string())
        )
    })
}

impl WireKey {
    /// A deleted key has what a live one never has.
    pub(super) fn is_deleted(&self) -> bool {
        let told = |date: &Option<Value>| date.as_ref().is_some_and(|date| !date.is_null());
        self.recovery_id.is_some() || told(&self.scheduled_purge_date) || told(&self.deleted_date)
    }

    /// A whole key, operations included.
    pub(super) fn shown(self) -> Result<(AzureKeyVersion, Facts), String> {
        if self.is_deleted() {
            return Err("the answer is about a deleted key".to_owned());
        }
        let Some(jwk) = &self.key else {
            return Err("the answer has no `key`".to_owned());
        };
        let version = version_of(jwk.kid.as_deref())?;
        let operations = match &jwk.key_ops {
            Some(named) => Operations::Named(named.clone()),
            None => Operations::Missing,
        };
        Ok((version, self.facts(operations)?))
    }

    /// An item of a list of versions.
    pub(super) fn listed(self) -> Result<(AzureKeyVersion, Facts), String> {
        if self.is_deleted() {
            return Err("the list shows a deleted key".to_owned());
        }
        let version = version_of(self.kid.as_deref())?;
        Ok((version, self.facts(Operations::NotInAList)?))
    }

    pub(super) fn deleted(self) -> Result<Deleted, String> {
        if !self.is_deleted() {
            return Err("the answer names no deletion".to_owned());
        }
        let kid = self.key.as_ref().and_then(|jwk| jwk.kid.as_deref());
        let shown = match kid.or(self.kid.as_deref()) {
            Some(kid) => Some(version_of(Some(kid))?),
            None => None,
        };
        let recovered = match &self.recovery_id {
            Some(id) => match Spelling::read(id) {
                Spelling::AzureKey(key) => Some(key),
                Spelling::Complete(_)
                | Spelling::AwsId { .. }
                | Spelling::AwsAlias(_)
                | Spelling::AzureVersion(_)
                | Spelling::GcpKey(_)
                | Spelling::Opaque(_) => {
                    return Err(format!("its `recoveryId` `{}` is no key", redact(id)));
                }
            },
            None => None,
        };
        let key = match (&shown, recovered) {
            (Some(shown), Some(key)) if *shown.key() != key => {
                return Err("its `kid` and its `recoveryId` are of different keys".to_owned());
            }
            (Some(shown), _) => shown.key().clone(),
            (None, Some(key)) => key,
            (None, None) => return Err("the answer names no key".to_owned()),
        };
        let purge = date(self.scheduled_purge_date.as_ref(), "scheduledPurgeDate")?;
        let recovery_level = self.attributes.and_then(|a| a.recovery_level);
        Ok(Deleted {
            key,
            shown,
            purge,
            recovery_level,
        })
    }

    fn facts(self, operations: Operations) -> Result<Facts, String> {
        let jwk_says = self.key.is_some_and(|jwk| is_external(&jwk.rest));
        let Some(attributes) = self.attributes else {
            return Err("the answer has no `attributes`".to_owned());
        };
        Ok(Facts {
            enabled: attributes.enabled,
            not_before: date(attributes.nbf.as_ref(), "nbf")?,
            expires: date(attributes.exp.as_ref(), "exp")?,
            recovery_level: attributes.recovery_level,
            operations,
            external: jwk_says || is_external(&self.rest) || is_external(&attributes.rest),
        })
    }
}

fn version_of(kid: Option<&str>) -> Result<AzureKeyVersion, String> {
    let Some(kid) = kid else {
        return Err("the answer names no `kid`".to_owned());
    };
    match kid.parse::<KeyId>() {
        Ok(KeyId::Azure(version)) => Ok(version),
        Ok(KeyId::Aws(_) | KeyId::Gcp(_) | KeyId::Kmip(_)) | Err(_) => Err(format!(
            "its `kid` `{}` is no version of a key",
            redact(kid)
        )),
    }
}

/// External keys of a Managed HSM are in preview and in no released version of the API: any field
/// of that name counts, since an enabled external key may be gone (Managed HSM, "External key
/// management").
fn is_external(fields: &Map<String, Value>) -> bool {
    fields.iter().any(|(name, value)| {
        name.to_ascii_lowercase().contains("external")
            && !matches!(value, Value::Null | Value::Bool(false))
    })
}

/// The API writes seconds since 1970, the CLI RFC 3339.
fn date(value: Option<&Value>, field: &str) -> Result<Option<Timestamp>, String> {
    let read = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(seconds)) => seconds.as_i64().and_then(Timestamp::from_unix),
        Some(Value::String(text)) => Timestamp::floor(text).ok(),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => None,
    };
    match read {
        Some(read) => Ok(Some(read)),
        None => Err(format!("its `{field}` is no time between 1970 and 9999")),
    }
}

impl Asked {
    /// The observation of a key about which the service said this.
    pub(super) fn told(&self, key: &AzureKeyVersion, facts: &Facts) -> Observation {
        // A date that lies ahead ends what is said now, whatever that is.
        let stale_at = [facts.not_before, facts.expires]
            .into_iter()
            .flatten()
            .filter(|date| *date > self.at)
            .min();
        self.observation(key, self.condition(facts), Some(native(facts)), stale_at)
    }

    /// The observation of a version of a soft-deleted key. Deleting, recovering and purging take
    /// all versions together.
    pub(super) fn deleted(&self, key: &AzureKeyVersion, deleted: &Deleted) -> Observation {
        let condition = Condition::SoftDeleted {
            purge: deleted.purge,
        };
        let native = match &deleted.recovery_level {
            Some(level) => format!("deleted, recoveryLevel={}", redact(level)),
            None => "deleted".to_owned(),
        };
        let stale_at = deleted.purge.filter(|purge| *purge > self.at);
        self.observation(key, condition, Some(native), stale_at)
    }

    /// The observation of a key about which the service did not say what was asked.
    pub(super) fn failed(&self, key: &AzureKeyVersion, failure: &Failure) -> Observation {
        let detail = failure.detail();
        let condition = match failure.meaning() {
            Meaning::State(condition) => condition,
            Meaning::Missing => unknown(UnknownReason::NotFound, detail),
            Meaning::Unknown(reason) => unknown(reason, detail),
        };
        self.observation(key, condition, failure.native(), None)
    }

    /// Neither `/keys` nor `/deletedkeys` knows the key, twice, with a pause between. Purged,
    /// misspelled, in another vault, restored elsewhere from a backup: nothing tells them apart.
    pub(super) fn not_found(&self, key: &AzureKeyVersion) -> Observation {
        let detail = "neither a live nor a deleted key of this name, asked twice: purged, never \
             there, or in another vault";
        let condition = unknown(UnknownReason::NotFound, detail.to_owned());
        self.observation(key, condition, Some("KeyNotFound".to_owned()), None)
    }

    /// The key is there, but not this version of it. Versions cannot be deleted singly.
    pub(super) fn no_such_version(&self, key: &AzureKeyVersion, others: usize) -> Observation {
        let detail = format!(
            "the key has {others} versions and not this one, and versions cannot be deleted \
             singly: a misspelling, or a key that was made anew under an old name"
        );
        let condition = unknown(UnknownReason::NotFound, detail);
        self.observation(key, condition, Some("KeyNotFound".to_owned()), None)
    }

    fn observation(
        &self,
        key: &AzureKeyVersion,
        condition: Condition,
        native: Option<String>,
        stale_at: Option<Timestamp>,
    ) -> Observation {
        Observation {
            key: KeyId::Azure(key.clone()),
            at: self.at,
            condition,
            native,
            endpoint: self.endpoint.clone(),
            identity: self.identity.clone(),
            related: Vec::new(),
            stale_at,
        }
    }

    fn condition(&self, facts: &Facts) -> Condition {
        match facts.enabled {
            None => {
                let why = "the answer does not say whether the key is enabled";
                return unknown(UnknownReason::Malformed, why.to_owned());
            }
            Some(false) => return Condition::Disabled,
            Some(true) => {}
        }
        if facts.external {
            let why = "its material is in an HSM outside Azure, where it may be gone";
            return unknown(UnknownReason::BackingKeyUnverified, why.to_owned());
        }
        let half = match &facts.operations {
            // Who could ask for the operations has asked.
            Operations::NotInAList => None,
            Operations::Missing => {
                let why = "the answer does not name the key's operations";
                return unknown(UnknownReason::Malformed, why.to_owned());
            }
            Operations::Named(named) => {
                let may = |operation: &str| named.iter().any(|n| n.eq_ignore_ascii_case(operation));
                match (may("unwrapKey"), may("decrypt")) {
                    // The key itself allows neither: setting its operations brings it back.
                    (false, false) => return Condition::Disabled,
                    (true, true) => None,
                    (true, false) => Some(("unwrapKey", "decrypt")),
                    (false, true) => Some(("decrypt", "unwrapKey")),
                }
            }
        };
        // With two clocks that differ, each date counts by the clock that makes it worse.
        let late = self.at.max(self.service_at.unwrap_or(self.at));
        let early = self.at.min(self.service_at.unwrap_or(self.at));
        // "Decrypt, unwrap, verify and release" go on outside the two dates; wrapping does not.
        let why = match (facts.expires, facts.not_before, half) {
            (Some(expires), _, _) if expires <= late => {
                format!("expired at {expires}: it still unwraps, it no longer wraps")
            }
            (_, Some(begins), _) if begins > early => {
                format!("not valid before {begins}: it unwraps, it does not wrap yet")
            }
            (_, _, Some((given, missing))) => {
                format!("its operations include `{given}` and not `{missing}`")
            }
            (expires, _, None) => return Condition::Enabled { expires },
        };
        Condition::UnwrapOnly { why }
    }
}

/// Azure's words for a live key: it has no single one.
fn native(facts: &Facts) -> String {
    let mut words = vec![match facts.enabled {
        Some(enabled) => format!("enabled={enabled}"),
        None => "enabled is missing".to_owned(),
    }];
    if let Operations::Named(named) = &facts.operations
        && !["unwrapKey", "decrypt"]
            .iter()
            .all(|needed| named.iter().any(|n| n.eq_ignore_ascii_case(needed)))
    {
        words.push(format!("key_ops={}", redact(&named.join("+"))));
    }
    if let Some(level) = &facts.recovery_level {
        words.push(format!("recoveryLevel={}", redact(level)));
    }
    words.join(", ")
}

fn unknown(reason: UnknownReason, detail: String) -> Condition {
    Condition::Unknown {
        reason,
        detail: Some(detail),
    }
}

#[cfg(test)]
mod tests;
