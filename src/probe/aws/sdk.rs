//! Between the SDK and the pure halves: credentials, the endpoint really asked, the SDK's errors
//! and wire types turned into snapkey's own.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_kms::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_kms::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kms::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::DateTime;
use aws_sdk_kms::types;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;

use super::failure::{Failure, redact};
use super::read::{KeyMetadata, KeyStore, Material};
use crate::model::Timestamp;

/// Less than the default of `Limits::call`, so that the first key's call does not cut it off.
const CREDENTIALS_WITHIN: Duration = Duration::from_secs(8);

/// Remembers the URL that requests of one client really go to, whichever setting decided it.
#[derive(Clone, Debug, Default)]
pub(super) struct SeenEndpoint(Arc<OnceLock<String>>);

impl SeenEndpoint {
    /// `None` as long as nothing was sent.
    pub(super) fn get(&self) -> Option<String> {
        self.0.get().cloned()
    }
}

impl Intercept for SeenEndpoint {
    fn name(&self) -> &'static str {
        "snapkey: endpoint asked"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.get_or_init(|| origin_of(context.request().uri()));
        Ok(())
    }
}

/// The URL without user, password, query and fragment.
fn origin_of(uri: &str) -> String {
    let Ok(mut url) = url::Url::parse(uri) else {
        return "unreadable".to_owned();
    };
    url.set_query(None);
    url.set_fragment(None);
    let stripped = url.set_username("").and_then(|()| url.set_password(None));
    if stripped.is_err() {
        return "unreadable".to_owned();
    }
    url.as_str().trim_end_matches('/').to_owned()
}

/// Credentials that could not be had are not asked for again for each of ten thousand keys.
#[derive(Debug)]
pub(super) struct FailsOnce {
    provider: SharedCredentialsProvider,
    failed: OnceLock<String>,
}

impl FailsOnce {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            failed: OnceLock::new(),
        }
    }
}

impl ProvideCredentials for FailsOnce {
    fn provide_credentials<'a>(&'a self) -> provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        provider::future::ProvideCredentials::new(async {
            if let Some(failed) = self.failed.get() {
                return Err(CredentialsError::not_loaded(failed.clone()));
            }
            let load = self.provider.provide_credentials();
            let loaded = match tokio::time::timeout(CREDENTIALS_WITHIN, load).await {
                Ok(loaded) => loaded,
                Err(_elapsed) => Err(CredentialsError::provider_timed_out(CREDENTIALS_WITHIN)),
            };
            loaded.inspect_err(|error| {
                self.failed.get_or_init(|| error.to_string());
            })
        })
    }
}

/// `arn:aws:sts::1:assumed-role/ROLE/SESSION` without the session.
pub(super) fn without_session(arn: &str) -> String {
    match arn.split_once(":assumed-role/") {
        Some((account, role)) => {
            let role = role.split('/').next().unwrap_or(role);
            format!("{account}:assumed-role/{role}")
        }
        None => arn.to_owned(),
    }
}

/// Why a role could not be taken on, on its way through the SDK.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the role could not be taken on")]
pub(super) struct NotAssumed {
    pub(super) role: String,
    pub(super) why: Failure,
}

/// Sorts what the provider of a role gave instead of credentials.
pub(super) fn failure_to_assume(error: &CredentialsError) -> Failure {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<SdkError<AssumeRoleError>>() {
            return failure_of(refused);
        }
        source = cause.source();
    }
    Failure::NoCredentials(error.to_string())
}

/// Sorts an SDK error. Nothing of a credential provider's own text is kept: it may repeat what a
/// `credential_process` printed.
pub(super) fn failure_of<E>(error: &SdkError<E>) -> Failure
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = source {
        if let Some(NotAssumed { role, why }) = cause.downcast_ref() {
            return Failure::NotAssumed {
                role: role.clone(),
                why: Box::new(why.clone()),
            };
        }
        if let Some(credentials) = cause.downcast_ref::<CredentialsError>()
            && credentials
                .source()
                .is_none_or(|why| !why.is::<NotAssumed>())
        {
            return Failure::NoCredentials(credentials.to_string());
        }
        source = cause.source();
    }
    match error {
        SdkError::ServiceError(answer) => match error.code() {
            Some(code) => Failure::Service {
                code: code.to_owned(),
                message: error.message().map(str::to_owned),
            },
            None => Failure::Unparsable {
                status: answer.raw().status().as_u16(),
                why: chain(answer.err()),
            },
        },
        SdkError::TimeoutError(_) => Failure::TimedOut,
        SdkError::ConstructionFailure(_) => Failure::NotSent(chain(error)),
        // Not sent, or sent and the answer was cut off.
        SdkError::DispatchFailure(_) | SdkError::ResponseError(_) | _ => {
            Failure::Unreachable(chain(error))
        }
    }
}

/// An error's causes in one line, outermost first.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = cause.source();
    }
    redact(&line)
}

pub(super) fn own_metadata(metadata: types::KeyMetadata) -> Result<KeyMetadata, String> {
    let related = metadata
        .multi_region_configuration
        .map(|config| {
            config
                .primary_key
                .into_iter()
                .chain(config.replica_keys.unwrap_or_default())
                .filter_map(|key| key.arn)
                .collect()
        })
        .unwrap_or_default();
    Ok(KeyMetadata {
        arn: metadata.arn,
        key_id: Some(metadata.key_id),
        account: metadata.aws_account_id,
        state: metadata.key_state.map(|state| state.as_str().to_owned()),
        enabled: Some(metadata.enabled),
        deletion_date: date(metadata.deletion_date, "DeletionDate")?,
        valid_to: date(metadata.valid_to, "ValidTo")?,
        expiration_model: metadata
            .expiration_model
            .map(|model| model.as_str().to_owned()),
        origin: metadata.origin.map(|origin| origin.as_str().to_owned()),
        custom_key_store: metadata.custom_key_store_id,
        related,
    })
}

pub(super) fn own_materials(
    entries: Vec<types::RotationsListEntry>,
) -> Result<Vec<Material>, String> {
    entries
        .into_iter()
        .map(|entry| {
            Ok(Material {
                import_state: entry.import_state.map(|state| state.as_str().to_owned()),
                state: entry
                    .key_material_state
                    .map(|state| state.as_str().to_owned()),
                expiration_model: entry
                    .expiration_model
                    .map(|model| model.as_str().to_owned()),
                valid_to: date(entry.valid_to, "ValidTo")?,
            })
        })
        .collect()
}

/// The store that was asked about, if the answer holds it.
pub(super) fn own_key_store(
    id: &str,
    stores: Vec<types::CustomKeyStoresListEntry>,
) -> Option<KeyStore> {
    let store = stores
        .into_iter()
        .find(|store| store.custom_key_store_id.as_deref() == Some(id))?;
    Some(KeyStore {
        connection: store
            .connection_state
            .map(|state| state.as_str().to_owned()),
        error: store
            .connection_error_code
            .map(|code| code.as_str().to_owned()),
    })
}

/// Fractions of a second are dropped: every one of these dates is one to act before.
fn date(at: Option<DateTime>, field: &str) -> Result<Option<Timestamp>, String> {
    at.map(|at| {
        Timestamp::from_unix(at.secs())
            .ok_or_else(|| format!("`{field}` is outside the years 1970 to 9999"))
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::operation::describe_key::DescribeKeyError;

    use super::*;

    #[test]
    fn an_endpoint_is_told_without_user_and_query() {
        let table = [
            (
                "https://kms.eu-west-1.amazonaws.com/",
                "https://kms.eu-west-1.amazonaws.com",
            ),
            ("http://127.0.0.1:4566/kms", "http://127.0.0.1:4566/kms"),
            (
                "https://me:hunter2@kms.example/?key=hunter2#hunter2",
                "https://kms.example",
            ),
            ("no url", "unreadable"),
        ];
        for (uri, expected) in table {
            assert_eq!(origin_of(uri), expected);
        }
    }

    #[test]
    fn an_assumed_role_is_the_same_identity_in_every_session() {
        let table = [
            (
                "arn:aws:sts::111122223333:assumed-role/auditor/i-0123",
                "arn:aws:sts::111122223333:assumed-role/auditor",
            ),
            (
                "arn:aws:iam::111122223333:user/ops/mia",
                "arn:aws:iam::111122223333:user/ops/mia",
            ),
            (
                "arn:aws:iam::111122223333:root",
                "arn:aws:iam::111122223333:root",
            ),
        ];
        for (arn, expected) in table {
            assert_eq!(without_session(arn), expected);
        }
    }

    #[test]
    fn what_a_credential_helper_printed_is_never_repeated() {
        let helper = || CredentialsError::provider_error("helper printed hunter2");
        let errors: [SdkError<DescribeKeyError>; 2] = [
            SdkError::construction_failure(helper()),
            SdkError::timeout_error(helper()),
        ];
        for error in errors {
            let Failure::NoCredentials(why) = failure_of(&error) else {
                panic!("{error:?}");
            };
            assert!(!why.contains("hunter2"), "{why}");
        }
    }
}
