//! Answers of `az keyvault key show`, `list-versions` and `show-deleted` that somebody recorded,
//! read by the same rules as live ones. The raw answers of the API are read as well.

use serde::Deserialize;
use serde_json::Value;

use super::read::{Asked, WireKey};
use crate::model::Timestamp;
use crate::model::evidence::Observation;
use crate::probe::text::redact;

/// The endpoint of an observation that was read from a file.
const RECORDED: &str = "recorded";

/// Whether a document has the members of such an answer.
pub(in crate::probe) fn is_azure(document: &Value) -> bool {
    let first = items_of(document).first();
    let has = |name: &str| first.is_some_and(|item| item.get(name).is_some());
    let key_has_kid = first
        .and_then(|item| item.get("key"))
        .is_some_and(|key| key.get("kid").is_some());
    key_has_kid
        || (has("attributes") && ["kid", "recoveryId", "scheduledPurgeDate"].map(has) != [false; 3])
}

/// Reads one document, given at `at`: a key, a deleted key (the answer for all its versions, told
/// of the one that it shows), an item of a list of versions, or the list.
///
/// A list does not name the operations of a version: one that is enabled in it counts as enabled
/// by its attributes alone, as Key Vault's key attributes define it.
///
/// # Errors
/// When the document is no such answer, or names no version: a line on what is wrong with it.
pub fn read_recorded(document: &Value, at: Timestamp) -> Result<Vec<Observation>, String> {
    let asked = Asked {
        at,
        service_at: None,
        endpoint: RECORDED.to_owned(),
        identity: None,
    };
    items_of(document)
        .iter()
        .map(|item| read_one(item, &asked))
        .collect()
}

/// The items of a list, as the CLI prints it or in a page of the API; else the one document.
fn items_of(document: &Value) -> &[Value] {
    let page = document.get("value");
    match document
        .as_array()
        .or_else(|| page.and_then(Value::as_array))
    {
        Some(items) => items,
        None => std::slice::from_ref(document),
    }
}

fn read_one(document: &Value, asked: &Asked) -> Result<Observation, String> {
    let wire = WireKey::deserialize(document).map_err(|error| {
        format!(
            "it is no answer of `az keyvault key`: {}",
            redact(&error.to_string())
        )
    })?;
    if wire.is_deleted() {
        let deleted = wire.deleted()?;
        let Some(shown) = &deleted.shown else {
            return Err(format!(
                "it names no version of `{}`: record `az keyvault key show-deleted`, which does",
                deleted.key
            ));
        };
        return Ok(asked.deleted(shown, &deleted));
    }
    let (version, facts) = if document.get("key").is_some_and(Value::is_object) {
        wire.shown()?
    } else {
        wire.listed()?
    };
    Ok(asked.told(&version, &facts))
}

#[cfg(test)]
mod tests;
