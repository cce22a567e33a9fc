//! What a change of a resource does to keys, one rule for each kind of resource. Attribute names
//! are those of the providers' schemas: hashicorp/aws and hashicorp/awscc (`kms`), hashicorp/azurerm
//! (`keyvault`, `managedhsm`), Azure/azapi, hashicorp/google and google-beta (`kms`),
//! mongodb/mongodbatlas (`encryption_at_rest`).

use serde_json::Value;

use super::settings;
use super::values::{Body, Field, Shift, Side};
use super::{Action, Keys};
use crate::model::Spelling;

/// A resource that is a key, or that keys go with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    AwsKey {
        /// The attribute that says whether the key is enabled.
        switch: &'static str,
    },
    AzureKey {
        /// The attributes that name the key, the most exact first.
        ids: &'static [&'static str],
    },
    /// A vault or managed HSM, and all that is in it.
    AzureVault {
        uri: &'static str,
    },
    /// Any resource of Azure's management interface; a vault or HSM only by its `type` attribute.
    AzureApi,
    GoogleKey,
    GoogleKeyVersion,
    GoogleProject,
    /// An Atlas project's encryption at rest.
    Settings,
    /// The plan does not say.
    Untold,
}

/// The resource types that are read, and as what.
pub(super) const KINDS: [(&str, Kind); 15] = [
    ("aws_kms_external_key", Kind::AwsKey { switch: "enabled" }),
    (
        "aws_kms_key",
        Kind::AwsKey {
            switch: "is_enabled",
        },
    ),
    (
        "aws_kms_replica_external_key",
        Kind::AwsKey { switch: "enabled" },
    ),
    ("aws_kms_replica_key", Kind::AwsKey { switch: "enabled" }),
    ("awscc_kms_key", Kind::AwsKey { switch: "enabled" }),
    ("awscc_kms_replica_key", Kind::AwsKey { switch: "enabled" }),
    ("azapi_resource", Kind::AzureApi),
    ("azurerm_key_vault", Kind::AzureVault { uri: "vault_uri" }),
    ("azurerm_key_vault_key", Kind::AzureKey { ids: &["id"] }),
    (
        "azurerm_key_vault_managed_hardware_security_module",
        Kind::AzureVault { uri: "hsm_uri" },
    ),
    (
        "azurerm_key_vault_managed_hardware_security_module_key",
        Kind::AzureKey {
            ids: &["versioned_id", "id"],
        },
    ),
    ("google_kms_crypto_key", Kind::GoogleKey),
    ("google_kms_crypto_key_version", Kind::GoogleKeyVersion),
    ("google_project", Kind::GoogleProject),
    ("mongodbatlas_encryption_at_rest", Kind::Settings),
];

impl Kind {
    /// `None` for a type that has nothing to do with keys.
    pub(super) fn of(resource_type: &str) -> Option<Self> {
        KINDS
            .iter()
            .find_map(|(name, kind)| (*name == resource_type).then_some(*kind))
    }
}

/// What Terraform does to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing that an existing key could notice.
    Nothing,
    Update,
    Delete,
    Replace,
    Forget,
    /// Words that the format does not have, or not in this place: read as the gravest.
    Untold,
}

impl Step {
    /// Reads `actions` (the format's "Change Representation"; OpenTofu also has forget before
    /// create). A `create` over something that was there is none.
    pub(super) fn of(body: &Body<'_>) -> Self {
        let Some(Value::Array(list)) = body.actions else {
            return Self::Untold;
        };
        let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
        if words.len() != list.len() {
            return Self::Untold;
        }
        match words.as_slice() {
            ["no-op"] | ["read"] => Self::Nothing,
            ["create"] if !body.before.is_there() => Self::Nothing,
            ["update"] => Self::Update,
            ["delete"] => Self::Delete,
            ["delete", "create"] | ["create", "delete"] => Self::Replace,
            ["forget"] => Self::Forget,
            ["create", "forget"] | ["forget", "create"] => Self::Forget,
            [..] => Self::Untold,
        }
    }
}

/// What a step does to the keys of a resource. Pure and total: what cannot be read is
/// [`Keys::Unknown`] under the gravest action that fits.
pub(super) fn judge(kind: Kind, step: Step, body: &Body<'_>) -> Vec<(Action, Keys)> {
    if kind == Kind::Settings {
        return settings::judge(step, body);
    }
    let action = match step {
        Step::Nothing => None,
        Step::Update => updated(kind, body),
        Step::Delete | Step::Untold => Some(Action::Delete),
        Step::Replace => Some(Action::Replace),
        Step::Forget => Some(Action::Forget),
    };
    action
        .and_then(|action| Some((action, keys(kind, body.before)?)))
        .into_iter()
        .collect()
}

/// The keys of a resource; `None` if it turns out to have none.
fn keys(kind: Kind, before: Side<'_>) -> Option<Keys> {
    let one = |id: Result<&str, String>| match id {
        Ok(id) => Keys::One(id.to_owned()),
        Err(why) => Keys::Unknown(why),
    };
    Some(match kind {
        Kind::AwsKey { .. } => one(before.id("arn")),
        Kind::AzureKey { ids } => one(first(before, ids)),
        Kind::GoogleKeyVersion => one(first(before, &["name", "id"])),
        Kind::GoogleKey => match before.id("id") {
            Ok(id) if matches!(Spelling::read(id), Spelling::GcpKey(_)) => {
                Keys::GoogleKey(id.to_owned())
            }
            Ok(id) => Keys::Unknown(format!("`id` is no name of a Google key: `{id}`")),
            Err(why) => Keys::Unknown(why),
        },
        Kind::AzureVault { uri } => match before.id(uri) {
            Ok(text) => match vault_host(text) {
                Some(host) => Keys::Vault(host),
                None => Keys::Unknown(format!("`{uri}` is no vault's address: `{text}`")),
            },
            Err(why) => Keys::Unknown(why),
        },
        Kind::AzureApi => return azure_api(before),
        Kind::GoogleProject => Keys::Unknown(match before.id("project_id") {
            Ok(project) => format!(
                "all keys of the Google project `{project}` go with it, and the plan does not name them"
            ),
            Err(why) => format!("all keys of a Google project go with it, and {why}"),
        }),
        Kind::Settings | Kind::Untold => {
            Keys::Unknown("the plan does not say what type of resource this is".to_owned())
        }
    })
}

/// The first of several attributes that can be read; why the first could not.
fn first<'a>(side: Side<'a>, names: &[&str]) -> Result<&'a str, String> {
    let mut found = names.iter().map(|name| side.id(name));
    let exact = found
        .next()
        .unwrap_or_else(|| Err("no attribute names it".to_owned()));
    match exact {
        Ok(id) => Ok(id),
        Err(why) => found.find_map(Result::ok).ok_or(why),
    }
}

/// The host of a vault's address, by the grammar of the keys in it.
fn vault_host(uri: &str) -> Option<String> {
    let key = format!("{}/keys/any", uri.trim_end_matches('/'));
    match Spelling::read(&key) {
        Spelling::AzureKey(key) if key.name() == "any" => Some(key.host().to_owned()),
        Spelling::Complete(_)
        | Spelling::AwsId { .. }
        | Spelling::AwsAlias(_)
        | Spelling::AzureKey(_)
        | Spelling::AzureVersion(_)
        | Spelling::GcpKey(_)
        | Spelling::Opaque(_) => None,
    }
}

/// Azure's management interface knows a vault by its resource id, not by the host that is in the
/// ids of its keys, which depends on the cloud.
fn azure_api(before: Side<'_>) -> Option<Keys> {
    match before.id("type") {
        Ok(kind) => vault_part(kind).map(|_| {
            let id = before.id("id").unwrap_or("without an id");
            Keys::Unknown(format!(
                "`azapi_resource` does not name the keys of `{id}` (`{kind}`)"
            ))
        }),
        Err(why) => Some(Keys::Unknown(why)),
    }
}

#[derive(PartialEq, Eq)]
enum VaultPart {
    Whole,
    Key,
}

/// Which part of a vault an Azure resource type (`Microsoft.KeyVault/vaults/keys@2023-07-01`) is;
/// `None` for those that hold no key.
fn vault_part(kind: &str) -> Option<VaultPart> {
    let kind = kind.to_ascii_lowercase();
    let (kind, _) = kind.split_once('@').unwrap_or((&kind, ""));
    let mut parts = kind.strip_prefix("microsoft.keyvault/")?.split('/');
    match (parts.next(), parts.next()) {
        (Some("vaults" | "managedhsms"), None) => Some(VaultPart::Whole),
        (Some("vaults" | "managedhsms"), Some("keys")) => Some(VaultPart::Key),
        (_, _) => None,
    }
}

/// What changing attributes in place does to the key.
fn updated(kind: Kind, body: &Body<'_>) -> Option<Action> {
    match kind {
        Kind::AwsKey { switch } => aws(switch, body),
        Kind::AzureKey { .. } => azure(body),
        Kind::GoogleKeyVersion => google(body),
        // Of a key, `body` may say anything; of a vault, nothing about the keys in it.
        Kind::AzureApi => match body.before.id("type") {
            Ok(kind) => (vault_part(kind) == Some(VaultPart::Key)).then_some(Action::Disable),
            Err(_) => Some(Action::Disable),
        },
        // Access policies, network rules and rotation periods touch no key that is there.
        Kind::AzureVault { .. } | Kind::GoogleKey | Kind::GoogleProject => None,
        Kind::Settings | Kind::Untold => Some(Action::Delete),
    }
}

/// An AWS key is switched off, or imported material gets an end or is no longer what it was
/// (AWS KMS Developer Guide, "Importing key material": expired material is deleted, and a key
/// without it cannot decrypt).
fn aws(switch: &str, body: &Body<'_>) -> Option<Action> {
    let was_off = body.before.field(switch) == Field::Known(&Value::Bool(false));
    let turned = match body.shift(switch) {
        Shift::Same | Shift::To(Value::Bool(true)) => false,
        Shift::To(_) | Shift::Unset | Shift::Open => !was_off,
    };
    let had_material = body.before.field("key_material_base64") != Field::Null;
    let other_material = had_material && body.shift("key_material_base64") != Shift::Same;
    (turned || set_or_open(body, "valid_to") || other_material).then_some(Action::Disable)
}

/// A Key Vault key loses an operation that restores need, or gets a date (Azure Key Vault, "About
/// keys": outside of its dates only some operations are allowed).
fn azure(body: &Body<'_>) -> Option<Action> {
    let dated = ["expiration_date", "not_before_date"]
        .iter()
        .any(|name| set_or_open(body, name));
    (dated || loses_unwrapping(body)).then_some(Action::Disable)
}

/// Whether a date is set or moved, or may be. Taking one away ends no key.
fn set_or_open(body: &Body<'_>, name: &str) -> bool {
    match body.shift(name) {
        Shift::To(_) | Shift::Open => true,
        Shift::Same | Shift::Unset => false,
    }
}

fn loses_unwrapping(body: &Body<'_>) -> bool {
    if body.shift("key_opts") == Shift::Same {
        return false;
    }
    let Some(before) = operations(body.before.field("key_opts")) else {
        return true;
    };
    let after = operations(body.after.field("key_opts"));
    ["unwrapKey", "decrypt"].iter().any(|needed| {
        before.contains(needed) && !after.as_ref().is_some_and(|after| after.contains(needed))
    })
}

fn operations(field: Field<'_>) -> Option<Vec<&str>> {
    match field {
        Field::Known(Value::Array(list)) => list.iter().map(Value::as_str).collect(),
        Field::Known(_) | Field::Null | Field::Absent | Field::AfterApply => None,
    }
}

/// A Google key version leaves `ENABLED`, or is tied to another key outside of Google.
fn google(body: &Body<'_>) -> Option<Action> {
    let state = match (body.shift("state"), body.after.field("state")) {
        (Shift::Same, _) => None,
        (_, Field::Known(Value::String(state))) if state == "ENABLED" => None,
        (_, Field::Known(Value::String(state))) if state == "DISABLED" => Some(Action::Disable),
        // Destroyed, scheduled for it, a word nobody knows, or not known yet.
        (_, Field::Known(_) | Field::Null | Field::Absent | Field::AfterApply) => {
            Some(Action::Delete)
        }
    };
    let tied_elsewhere = body.shift("external_protection_level_options") != Shift::Same;
    state.or(tied_elsewhere.then_some(Action::Disable))
}
