//! With whose rights AWS is asked: those that were found, or a role that is taken on for certain
//! keys. Each has its clients, its identity and its place in the quotas; none ever stands in for
//! another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_kms::Client;
use tokio::sync::OnceCell;

use super::failure::{Failure, read_failure, redact};
use super::read::{Asked, KeyStore};
use super::sdk::{NotAssumed, SeenEndpoint, failure_of, failure_to_assume, without_session};
use crate::model::{AwsRole, Timestamp};

/// `GetCallerIdentity` may take this long; the probe does not wait for it any longer.
const IDENTITY_WITHIN: Duration = Duration::from_secs(5);
/// Taking on a role, the credentials for that included: less than the default of `Limits::call`,
/// so that the first key's call does not cut it off.
const ROLE_WITHIN: Duration = Duration::from_secs(9);
/// The name of the session, which logs of the other account show.
const SESSION: &str = "snapkey";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::probe) struct Identity {
    pub account: String,
    /// The principal's ARN; of an assumed role without the session's name, which changes from
    /// run to run.
    pub principal: String,
}

/// One credential, and what was made with it.
#[derive(Debug)]
pub(super) struct Login {
    config: SdkConfig,
    role: Option<AwsRole>,
    identity: OnceCell<Option<Identity>>,
    clients: Mutex<BTreeMap<String, Regional>>,
    stores: Mutex<BTreeMap<StoreAt, Arc<OnceCell<Option<KeyStore>>>>>,
}

/// Region and id of a custom key store.
type StoreAt = (String, String);

/// One region's client.
#[derive(Clone, Debug)]
pub(super) struct Regional {
    pub(super) client: Client,
    asked: SeenEndpoint,
}

impl Login {
    /// What was found where the AWS CLI finds it.
    pub(super) fn found(config: SdkConfig) -> Self {
        Self::new(config, None)
    }

    /// The rights of a role instead, taken on with what was found when the first call is made. The
    /// regional endpoint of the key's own region is asked for it.
    pub(super) async fn in_role(found: &SdkConfig, role: &AwsRole, region_of_a_key: &str) -> Self {
        let mut assume = AssumeRoleProvider::builder(role.arn())
            .configure(found)
            .region(Region::new(region_of_a_key.to_owned()))
            .session_name(SESSION);
        if let Some(external_id) = role.external_id() {
            assume = assume.external_id(external_id);
        }
        let provider = InRole {
            role: role.arn().to_owned(),
            provider: assume.build().await,
            failed: OnceLock::new(),
        };
        let config = found
            .to_builder()
            .region(Region::new(region_of_a_key.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(provider))
            // One for all regions, so that the role is taken on once and again before it runs out.
            .identity_cache(IdentityCache::lazy().build())
            .build();
        Self::new(config, Some(role.clone()))
    }

    fn new(config: SdkConfig, role: Option<AwsRole>) -> Self {
        Self {
            config,
            role,
            identity: OnceCell::new(),
            clients: Mutex::default(),
            stores: Mutex::default(),
        }
    }

    /// Whose quota a call uses up: KMS charges cross-account calls to the caller's account.
    pub(super) fn place(&self, region: &str) -> String {
        match &self.role {
            Some(role) => format!("{region} of {}", role.account()),
            None => region.to_owned(),
        }
    }

    /// Asks once who is asking. `None` when that cannot be had: it is worth knowing, never worth
    /// failing for. The regional endpoint is taken, the global one is a single point of failure.
    pub(super) async fn identity(&self, region_of_a_key: &str) -> Option<Identity> {
        self.identity
            .get_or_init(|| self.ask_identity(region_of_a_key))
            .await
            .clone()
    }

    async fn ask_identity(&self, region_of_a_key: &str) -> Option<Identity> {
        let region = match self.config.region() {
            Some(region) => region.clone(),
            None => Region::new(region_of_a_key.to_owned()),
        };
        let config = aws_sdk_sts::config::Builder::from(&self.config)
            .region(region)
            .build();
        let call = aws_sdk_sts::Client::from_conf(config)
            .get_caller_identity()
            .send();
        let role = self.role.as_ref().map(AwsRole::arn);
        match tokio::time::timeout(IDENTITY_WITHIN, call).await {
            Ok(Ok(answer)) => Some(Identity {
                account: redact(answer.account()?),
                principal: without_session(&redact(answer.arn()?)),
            }),
            Ok(Err(error)) => {
                let (reason, detail) = read_failure(&failure_of(&error));
                tracing::warn!(
                    role,
                    reason = reason.word(),
                    detail,
                    "AWS does not tell which identity asks"
                );
                None
            }
            Err(_elapsed) => {
                tracing::warn!(role, "AWS does not tell in time which identity asks");
                None
            }
        }
    }

    /// What is known of a custom key store: `ask` is asked once, `None` is kept as well.
    pub(super) async fn key_store(
        &self,
        region: &str,
        id: &str,
        ask: impl Future<Output = Option<KeyStore>>,
    ) -> Option<KeyStore> {
        let cell = {
            let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
            let at = (region.to_owned(), id.to_owned());
            Arc::clone(stores.entry(at).or_default())
        };
        cell.get_or_init(|| ask).await.clone()
    }

    pub(super) fn regional(&self, region: &str) -> Regional {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(regional) = clients.get(region) {
            return regional.clone();
        }
        let asked = SeenEndpoint::default();
        let config = aws_sdk_kms::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .interceptor(asked.clone())
            .build();
        let regional = Regional {
            client: Client::from_conf(config),
            asked,
        };
        clients.insert(region.to_owned(), regional.clone());
        regional
    }
}

impl Regional {
    pub(super) fn asked_at(&self, at: Timestamp, region: &str) -> Asked {
        // Nothing was ever sent: where it would have gone.
        let endpoint = self
            .asked
            .get()
            .unwrap_or_else(|| format!("https://kms.{region}.amazonaws.com"));
        Asked {
            at,
            endpoint,
            identity: None,
        }
    }
}

/// Credentials of a role. A role that could not be taken on is not asked for again for each of its
/// keys, and nothing stands in for it.
#[derive(Debug)]
struct InRole {
    role: String,
    provider: AssumeRoleProvider,
    failed: OnceLock<NotAssumed>,
}

impl ProvideCredentials for InRole {
    fn provide_credentials<'a>(&'a self) -> provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        provider::future::ProvideCredentials::new(async {
            if let Some(failed) = self.failed.get() {
                return Err(CredentialsError::provider_error(failed.clone()));
            }
            let assume = self.provider.provide_credentials();
            let why = match tokio::time::timeout(ROLE_WITHIN, assume).await {
                Ok(Ok(credentials)) => return Ok(credentials),
                Ok(Err(error)) => failure_to_assume(&error),
                Err(_elapsed) => Failure::TimedOut,
            };
            let failed = self.failed.get_or_init(|| NotAssumed {
                role: self.role.clone(),
                why,
            });
            Err(CredentialsError::provider_error(failed.clone()))
        })
    }
}

/// The login of a role, made when it is first needed.
pub(super) type Logins = tokio::sync::Mutex<BTreeMap<AwsRole, Arc<Login>>>;
