//! What asking about a key would take: the calls, the rights they need, and where they go. It asks
//! nothing and needs no store.

use std::ffi::OsString;

use aws_sdk_kms::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use futures::FutureExt;

use super::aws::role_of;
use super::errand::region_of;
use super::gcp::Endpoint;
use super::{Settings, Target};
use crate::model::key_id::{AzureKey, GcpKey};
use crate::model::{KeyId, Provider, Spelling};

/// One call that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedCall {
    pub call: String,
    /// Whether it is always made, or what makes it necessary.
    pub when: &'static str,
    /// The least right that it needs.
    pub right: &'static str,
}

/// What asking about one key would take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub subject: String,
    pub provider: Provider,
    pub endpoint: String,
    pub calls: Vec<ExplainedCall>,
    /// Where the login is looked for, in order.
    pub login: &'static str,
}

/// Explains a key, or a Key Vault or Cloud KMS key without a version.
///
/// # Errors
/// Why nobody could be asked about it.
pub fn explain(text: &str, settings: &Settings<'_>) -> Result<Explanation, &'static str> {
    match Spelling::read(text) {
        Spelling::Complete(KeyId::Aws(key)) => {
            let region = key.region().to_owned();
            let target = Target::Key(KeyId::Aws(key));
            Ok(aws(text, &region, &target, settings))
        }
        Spelling::AwsId {
            region: Some(region),
            id,
            ..
        } => {
            let target = Target::AwsId { id, region };
            Ok(aws(text, region_of(&target), &target, settings))
        }
        Spelling::Complete(KeyId::Azure(version)) => Ok(azure(text, version.key())),
        Spelling::AzureKey(key) => Ok(azure(text, &key)),
        Spelling::Complete(KeyId::Gcp(version)) => Ok(gcp(text, version.key(), settings)),
        Spelling::GcpKey(key) => Ok(gcp(text, &key, settings)),
        Spelling::Complete(KeyId::Kmip(_)) => Err("KMIP servers are not asked in this release"),
        Spelling::AwsId { region: None, .. } => {
            Err("an AWS key id is unique only within its account and region: give the key ARN")
        }
        Spelling::AwsAlias(_) => Err("an alias may point to another key at any time"),
        Spelling::AzureVersion(_) => Err("the vault and the name of the key are missing"),
        Spelling::Opaque(_) => {
            Err("it is no AWS key ARN, Azure key URL, Google key version or kmip://SERVER/UID")
        }
    }
}

/// As the SDK settles it: the service's own variable, then the general one, then the region's.
fn aws_endpoint(region: &str, environment: &dyn Fn(&str) -> Option<OsString>) -> String {
    let set = |name: &str| {
        let value = environment(name)?.into_string().ok()?;
        let mut url = url::Url::parse(&value).ok()?;
        // What logs in stays out of what is printed.
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        url.set_query(None);
        Some(url.as_str().trim_end_matches('/').to_owned())
    };
    if let Some(url) = set("AWS_ENDPOINT_URL_KMS").or_else(|| set("AWS_ENDPOINT_URL")) {
        return url;
    }
    let usual = || {
        let params = Params::builder().region(region).build().ok()?;
        let resolver = DefaultResolver::new();
        let endpoint = resolver.resolve_endpoint(&params).now_or_never()?.ok()?;
        Some(endpoint.url().to_owned())
    };
    usual().unwrap_or_else(|| format!("https://kms.{region}.amazonaws.com"))
}

fn aws(subject: &str, region: &str, target: &Target, settings: &Settings<'_>) -> Explanation {
    let role = role_of(settings.aws_roles, target);
    let taken_on = role.map(|role| ExplainedCall {
        call: format!("sts:AssumeRole of {} in {region}", role.arn()),
        when: "once a run, as session `snapkey`, before anything is asked about the key; again \
               when the session runs out",
        right: "sts:AssumeRole on the role, and a trust policy of the role that names who asks",
    });
    Explanation {
        subject: subject.to_owned(),
        provider: Provider::Aws,
        endpoint: aws_endpoint(region, settings.environment),
        calls: taken_on
            .into_iter()
            .chain([
                ExplainedCall {
                    call: format!("kms:DescribeKey in {region}"),
                    when: "always; of a multi-Region key, in each region that the answer names",
                    right: "kms:DescribeKey (identity policy and key policy)",
                },
                ExplainedCall {
                    call: format!("kms:ListKeyRotations in {region}"),
                    when: "if the material was imported, in the key's own account",
                    right: "kms:ListKeyRotations (optional)",
                },
                ExplainedCall {
                    call: format!("kms:DescribeCustomKeyStores in {region}"),
                    when: "if the key is in a custom key store, in its own account; once for each store",
                    right: "kms:DescribeCustomKeyStores (optional)",
                },
                ExplainedCall {
                    call: format!("kms:GetKeyLastUsage in {region}"),
                    when: "after `probe KEY…` of up to ten keys, in their own account; it is shown and \
                           decides nothing",
                    right: "kms:GetKeyLastUsage (optional)",
                },
                ExplainedCall {
                    call: "sts:GetCallerIdentity".to_owned(),
                    when: "once a run, to record who asked",
                    right: "none",
                },
            ])
            .collect(),
        login: "as the AWS CLI: environment, profiles, SSO, web identity, container and instance \
                roles",
    }
}

fn azure(subject: &str, key: &AzureKey) -> Explanation {
    let name = key.name();
    let hsm = key.is_managed_hsm();
    let (list, get, deleted) = if hsm {
        (
            "Managed HSM Crypto Auditor",
            "Managed HSM Crypto Auditor",
            "Managed HSM Crypto User or Crypto Officer (the documents disagree)",
        )
    } else {
        (
            "Key Vault Reader, or `list` on keys in the access policy",
            "Key Vault Reader, or `get` on keys in the access policy",
            "Key Vault Reader, or `get` on keys in the access policy",
        )
    };
    Explanation {
        subject: subject.to_owned(),
        provider: Provider::Azure,
        endpoint: format!("https://{}", key.host()),
        calls: vec![
            ExplainedCall {
                call: format!("GET /keys/{name}/versions"),
                when: "always, once for all versions: enabled, not before, expiry",
                right: list,
            },
            ExplainedCall {
                call: format!("GET /keys/{name}/VERSION"),
                when: "for each version asked about that is enabled: what it may be used for",
                right: get,
            },
            ExplainedCall {
                call: format!("GET /deletedkeys/{name}"),
                when: "if the key is not found; both again after a pause",
                right: deleted,
            },
        ],
        login: "environment (client secret), workload identity, managed identity, `az login`, \
                `azd auth login`",
    }
}

fn gcp(subject: &str, key: &GcpKey, settings: &Settings<'_>) -> Explanation {
    Explanation {
        subject: subject.to_owned(),
        provider: Provider::Gcp,
        endpoint: settings
            .gcp_endpoint
            .map_or_else(|| Endpoint::default().url().to_owned(), str::to_owned),
        calls: vec![
            ExplainedCall {
                call: format!("ListCryptoKeyVersions of {key}"),
                when: "always, once for all versions",
                right: "cloudkms.cryptoKeyVersions.list (roles/cloudkms.viewer)",
            },
            ExplainedCall {
                call: format!("GetCryptoKey of {key}"),
                when: "where a version is enabled, for what the key allows",
                right: "cloudkms.cryptoKeys.get (roles/cloudkms.viewer)",
            },
            ExplainedCall {
                call: format!("GetCryptoKeyVersion of {key}"),
                when: "where listing is refused, once for each version",
                right: "cloudkms.cryptoKeyVersions.get (roles/cloudkms.viewer)",
            },
            ExplainedCall {
                call: format!(
                    "ListRetiredResources of projects/{}/locations/{}",
                    key.project(),
                    key.location()
                ),
                when: "where the key is not found; tolerated when refused",
                right: "cloudkms.retiredResources.list",
            },
        ],
        login: "application default credentials, as the Google Cloud CLI",
    }
}

#[cfg(test)]
mod tests;
