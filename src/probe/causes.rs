//! Why some keys got no definite answer, grouped by cause, each with what would change it. Pure.

use std::collections::BTreeMap;

use crate::model::Provider;
use crate::model::evidence::{Condition, Observation, UnknownReason};

/// Keys that could not be told for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub provider: Provider,
    /// A word of `unknown`, or `transient`.
    pub word: &'static str,
    /// In order.
    pub keys: Vec<String>,
    /// What one of them was told, as an example.
    pub example: Option<String>,
    /// What to do about it.
    pub fix: &'static str,
}

/// Groups what settled nothing by provider and cause, the most frequent first.
pub fn causes(observations: &[Observation]) -> Vec<Cause> {
    let mut groups: BTreeMap<(Provider, Option<UnknownReason>), Vec<&Observation>> =
        BTreeMap::new();
    for observation in observations {
        let reason = match &observation.condition {
            Condition::Unknown { reason, detail: _ } => Some(*reason),
            Condition::Transient => None,
            Condition::Enabled { .. }
            | Condition::UnwrapOnly { .. }
            | Condition::Disabled
            | Condition::PendingDeletion { .. }
            | Condition::SoftDeleted { .. }
            | Condition::MaterialMissing
            | Condition::Unavailable { .. }
            | Condition::Destroyed { .. } => continue,
        };
        let provider = observation.key.provider();
        groups
            .entry((provider, reason))
            .or_default()
            .push(observation);
    }
    let mut causes: Vec<Cause> = groups
        .into_iter()
        .map(|((provider, reason), told)| {
            let mut keys: Vec<String> = told.iter().map(|o| o.key.to_string()).collect();
            keys.sort();
            keys.dedup();
            Cause {
                provider,
                word: reason.map_or("transient", UnknownReason::word),
                keys,
                example: told.iter().find_map(|o| detail_of(&o.condition)),
                fix: reason.map_or("ask again in a few minutes", |reason| fix(provider, reason)),
            }
        })
        .collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.keys.len()));
    causes
}

fn detail_of(condition: &Condition) -> Option<String> {
    match condition {
        Condition::Unknown { reason: _, detail } => detail.clone(),
        Condition::Enabled { .. }
        | Condition::UnwrapOnly { .. }
        | Condition::Disabled
        | Condition::PendingDeletion { .. }
        | Condition::SoftDeleted { .. }
        | Condition::MaterialMissing
        | Condition::Unavailable { .. }
        | Condition::Transient
        | Condition::Destroyed { .. } => None,
    }
}

fn fix(provider: Provider, reason: UnknownReason) -> &'static str {
    match (reason, provider) {
        (UnknownReason::AccessDenied, Provider::Aws) => {
            "allow `kms:DescribeKey`, in the key policy as well"
        }
        (UnknownReason::AccessDenied, Provider::Azure) => {
            "give the role Key Vault Reader (Managed HSM: Crypto Auditor), or `get` and `list` on \
             keys in the access policy"
        }
        (UnknownReason::AccessDenied, Provider::Gcp) => "give the role `roles/cloudkms.viewer`",
        (UnknownReason::AccessDenied, Provider::Kmip) => "let this client certificate see the keys",
        (UnknownReason::NotFound, Provider::Aws) => {
            "not found here: check the region and account in the ARN, and whose credentials ask"
        }
        (UnknownReason::NotFound, Provider::Azure) => {
            "not found here: check the vault and the spelling; only the vault's log of `KeyPurge` \
             would show that it was purged"
        }
        (UnknownReason::NotFound, Provider::Gcp | Provider::Kmip) => {
            "not found here: check the spelling, and whether this is the right project or server"
        }
        (UnknownReason::Credentials, Provider::Aws) => {
            "log in: environment, profile, SSO or role, as for the AWS CLI; a `role_arn` must trust \
             who asks"
        }
        (UnknownReason::Credentials, Provider::Azure) => {
            "log in: environment, workload or managed identity, `az login` or `azd auth login`"
        }
        (UnknownReason::Credentials, Provider::Gcp) => {
            "log in: `gcloud auth application-default login`, or a service account"
        }
        (UnknownReason::Credentials, Provider::Kmip) => "check the client certificate",
        (UnknownReason::Throttled, _) => "ask again later, or with fewer others asking",
        (UnknownReason::Unreachable, Provider::Azure) => {
            "check the network, the vault's firewall and private endpoints, and its DNS name"
        }
        (UnknownReason::Unreachable, Provider::Aws | Provider::Gcp | Provider::Kmip) => {
            "check the network, the proxy and the endpoint"
        }
        (UnknownReason::WrongScope, Provider::Aws) => {
            "asked in the wrong place: check the region, and that the account has it enabled"
        }
        (UnknownReason::WrongScope, Provider::Azure) => {
            "asked as the wrong tenant: log in to the tenant that owns the vault"
        }
        (UnknownReason::WrongScope, Provider::Gcp | Provider::Kmip) => {
            "asked in the wrong place: check the project whose quota is used, and the endpoint"
        }
        (UnknownReason::Malformed, _) => {
            "something else answered in the service's place, or it answered in a new way: look at \
             proxies and endpoints"
        }
        (UnknownReason::UnrecognisedState, _) => {
            "the provider has a state that this release does not know: look at its own console"
        }
        (UnknownReason::BackingKeyUnverified, _) => {
            "the material is elsewhere: check the external key store or HSM itself"
        }
        (UnknownReason::Unsupported, _) => "the provider does not answer this here",
    }
}

#[cfg(test)]
mod tests;
