//! Asks AWS KMS. Only `DescribeKey`, `ListKeyRotations`, `DescribeCustomKeyStores`,
//! `GetKeyLastUsage`, `sts:GetCallerIdentity` and, where a role is configured, `sts:AssumeRole` are ever called; none of them changes anything, and aliases are
//! never named (a `DescribeKey` of `alias/aws/…` would create the managed key).
//!
//! This file is the asking half; what answers mean is in `read` and `failure`, which are pure.
//! Credentials, regions' endpoints, proxies, retries and `AWS_ENDPOINT_URL_KMS` are the SDK's.

mod failure;
pub(super) mod last_use;
mod login;
mod read;
mod recorded;
mod sdk;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_kms::types::IncludeKeyMaterial;
use aws_smithy_async::time::SharedTimeSource;

use self::failure::{Failure, read_failure, redact};
use self::login::{Login, Logins, Regional};
use self::read::{
    Asked, KeyMetadata, KeyStore, Materials, needs_materials, read_describe_key, store_to_ask_about,
};
use self::sdk::{FailsOnce, failure_of, own_key_store, own_materials, own_metadata};
use super::pace::Call;
use super::{Session, Target};
use crate::model::evidence::{Observation, UnknownReason};
use crate::model::key_id::AwsKey;
use crate::model::{AwsRole, KeyId, Spelling};

pub(super) use self::login::Identity;

pub use self::recorded::read_recorded;
pub use self::tls::{NoAuthority, PrivateAuthority};

/// AWS KMS in every region, with the credentials that were found and those of roles.
#[derive(Debug)]
pub struct AwsProbe {
    config: SdkConfig,
    roles: BTreeMap<KeyId, AwsRole>,
    found: Arc<Login>,
    in_roles: Logins,
}

/// A key has at most 25 on-demand rotations; a list beyond this many pages does not end.
const MOST_PAGES: usize = 32;

impl AwsProbe {
    /// Finds credentials and settings where the AWS CLI finds them, and trusts a private authority
    /// besides those of the system. Nothing is asked yet.
    pub async fn load(authority: Option<&PrivateAuthority>) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
        if let Some(authority) = authority {
            loader = loader.http_client(authority.client());
        }
        Self::from_config(loader.load().await)
    }

    /// With settings made elsewhere. The region in them is used for the identity only: every key
    /// is asked for in its own.
    pub fn from_config(config: SdkConfig) -> Self {
        let mut builder = config.to_builder();
        if let Some(provider) = config.credentials_provider() {
            builder.set_credentials_provider(Some(SharedCredentialsProvider::new(FailsOnce::new(
                provider,
            ))));
        }
        builder.set_behavior_version(Some(BehaviorVersion::v2026_01_12()));
        if config.time_source().is_none() {
            builder.set_time_source(Some(SharedTimeSource::default()));
        }
        let config = builder.build();
        Self {
            roles: BTreeMap::new(),
            found: Arc::new(Login::found(config.clone())),
            in_roles: Logins::default(),
            config,
        }
    }

    /// Asks about these keys in these roles, which are taken on with the credentials found.
    pub fn with_roles(self, roles: BTreeMap<KeyId, AwsRole>) -> Self {
        Self { roles, ..self }
    }

    pub(super) fn role_of(&self, target: &Target) -> Option<&AwsRole> {
        role_of(&self.roles, target)
    }

    /// Who asks, with these rights. `None` when nobody says.
    pub(super) async fn identity(
        &self,
        role: Option<&AwsRole>,
        region_of_a_key: &str,
    ) -> Option<Identity> {
        let login = self.login(role, region_of_a_key).await;
        login.identity(region_of_a_key).await
    }

    async fn login(&self, role: Option<&AwsRole>, region_of_a_key: &str) -> Arc<Login> {
        let Some(role) = role else {
            return Arc::clone(&self.found);
        };
        let mut logins = self.in_roles.lock().await;
        if let Some(login) = logins.get(role) {
            return Arc::clone(login);
        }
        let login = Arc::new(Login::in_role(&self.config, role, region_of_a_key).await);
        logins.insert(role.clone(), Arc::clone(&login));
        login
    }

    /// Asks about a key in its own region. Always gives an observation: that no answer could be
    /// had is one. The identity is left to the caller, who may not know it yet.
    pub(super) async fn probe(
        &self,
        key: &KeyId,
        role: Option<&AwsRole>,
        session: &Session<'_>,
    ) -> Option<Observation> {
        let aws = key.aws()?;
        let login = self.login(role, aws.region()).await;
        let regional = login.regional(aws.region());
        let asking = Asking {
            login: &login,
            regional: &regional,
            region: aws.region(),
            session,
        };
        let answer = asking.describe(&key.to_string()).await;
        let asked = regional.asked_at((session.clock)(), aws.region());
        let metadata = match answer {
            Ok(metadata) => metadata,
            Err(failure) => {
                let (reason, detail) = read_failure(&failure);
                return Some(asked.unknown(key.clone(), reason, detail, failure.native()));
            }
        };
        Some(asking.read(key, &metadata, asked).await)
    }

    /// Asks about a bare key id in a region of the caller's account: the answer's ARN completes
    /// it.
    pub(super) async fn resolve(
        &self,
        id: &str,
        region: &str,
        role: Option<&AwsRole>,
        session: &Session<'_>,
    ) -> Result<Observation, (UnknownReason, String)> {
        let bare = matches!(Spelling::read(id), Spelling::AwsId { .. });
        let is_region = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !bare || region.is_empty() || !region.chars().all(is_region) {
            return Err((
                UnknownReason::Malformed,
                format!("`{}` in `{}` is no AWS key id", redact(id), redact(region)),
            ));
        }
        let login = self.login(role, region).await;
        let regional = login.regional(region);
        let asking = Asking {
            login: &login,
            regional: &regional,
            region,
            session,
        };
        let metadata = asking.describe(id).await.map_err(|failure| {
            let (reason, detail) = read_failure(&failure);
            (reason, detail.unwrap_or_else(|| reason.word().to_owned()))
        })?;
        let asked = regional.asked_at((session.clock)(), region);
        let arn = metadata.arn.as_deref().unwrap_or_default();
        let named = arn.parse::<KeyId>().ok().filter(|key| {
            key.aws()
                .is_some_and(|aws| aws.id() == id && aws.region() == region)
        });
        let Some(key) = named else {
            return Err((
                UnknownReason::Malformed,
                format!(
                    "asked for `{id}` in {region}, the answer is about `{}`",
                    redact(arn)
                ),
            ));
        };
        Ok(asking.read(&key, &metadata, asked).await)
    }
}

/// In which role a target is to be asked about: that of its key; else that of a multi-Region
/// sibling of it, or of a key that a bare id may be.
pub(super) fn role_of<'r>(
    roles: &'r BTreeMap<KeyId, AwsRole>,
    target: &Target,
) -> Option<&'r AwsRole> {
    let of = |wanted: &dyn Fn(&AwsKey) -> bool| {
        let mut roles = roles.iter();
        let found = roles.find(|(key, _)| key.aws().is_some_and(wanted));
        found.map(|(_, role)| role)
    };
    match target {
        Target::Key(key) => roles.get(key).or_else(|| {
            let sibling = roles.iter().find(|(other, _)| other.is_related(key));
            sibling.map(|(_, role)| role)
        }),
        Target::AwsId { id, region } => of(&|key| key.id() == id && key.region() == region)
            .or_else(|| of(&|key| key.id() == id && key.is_multi_region())),
        Target::AzureKey(_) => None,
    }
}

/// With whose rights, where, and within which bounds a key is asked about.
struct Asking<'a> {
    login: &'a Login,
    regional: &'a Regional,
    region: &'a str,
    session: &'a Session<'a>,
}

impl Asking<'_> {
    async fn read(&self, key: &KeyId, metadata: &KeyMetadata, asked: Asked) -> Observation {
        let materials = if needs_materials(metadata) {
            self.materials(key).await
        } else {
            Materials::NotTold
        };
        let store = match store_to_ask_about(metadata) {
            Some(id) => self.key_store(key, id).await,
            None => None,
        };
        read_describe_key(key, metadata, &materials, store.as_ref(), asked)
    }

    /// What KMS says of a custom key store, once for all its keys. `DescribeCustomKeyStores` works
    /// within the account only. Whatever goes wrong is tolerated: the key is not usable either way.
    async fn key_store(&self, key: &KeyId, id: &str) -> Option<KeyStore> {
        let account = key.aws()?.account();
        if let Some(identity) = self.login.identity(self.region).await
            && identity.account != account
        {
            return None;
        }
        let ask = async {
            let call = self
                .regional
                .client
                .describe_custom_key_stores()
                .custom_key_store_id(id)
                .send();
            let answer = self.within(Call::DescribeCustomKeyStores, call).await?;
            match answer {
                Ok(answer) => own_key_store(id, answer.custom_key_stores.unwrap_or_default()),
                Err(error) => {
                    let (reason, detail) = read_failure(&failure_of(&error));
                    tracing::debug!(
                        store = id,
                        reason = reason.word(),
                        detail,
                        "AWS does not tell whether a key store is connected"
                    );
                    None
                }
            }
        };
        self.login.key_store(self.region, id, ask).await
    }

    async fn describe(&self, id: &str) -> Result<KeyMetadata, Failure> {
        let call = self.regional.client.describe_key().key_id(id).send();
        let answer = self
            .within(Call::DescribeKey, call)
            .await
            .ok_or(Failure::TimedOut)?
            .map_err(|error| failure_of(&error))?;
        let Some(metadata) = answer.key_metadata else {
            return Err(Failure::Unparsable {
                status: 200,
                why: "the answer has no `KeyMetadata`".to_owned(),
            });
        };
        own_metadata(metadata).map_err(|why| Failure::Unparsable { status: 200, why })
    }

    /// Lists the materials of an imported key. `ListKeyRotations` works within the account only.
    async fn materials(&self, key: &KeyId) -> Materials {
        let Some(aws) = key.aws() else {
            return Materials::NotTold;
        };
        if let Some(identity) = self.login.identity(self.region).await
            && identity.account != aws.account()
        {
            return Materials::NotTold;
        }
        let mut listed = Vec::new();
        let mut marker: Option<String> = None;
        for _page in 0..MOST_PAGES {
            let call = self
                .regional
                .client
                .list_key_rotations()
                .key_id(key.to_string())
                .include_key_material(IncludeKeyMaterial::AllKeyMaterial)
                .set_marker(marker.take())
                .send();
            let failure = match self.within(Call::ListKeyRotations, call).await {
                Some(Ok(page)) => {
                    match own_materials(page.rotations.unwrap_or_default()) {
                        Ok(materials) => listed.extend(materials),
                        Err(why) => {
                            return Materials::Failed(UnknownReason::Malformed, Some(why));
                        }
                    }
                    if !page.truncated {
                        return Materials::Listed(listed);
                    }
                    marker = page.next_marker.filter(|next| !next.is_empty());
                    if marker.is_none() {
                        break;
                    }
                    continue;
                }
                Some(Err(error)) => failure_of(&error),
                None => Failure::TimedOut,
            };
            if failure.is_refusal_of_the_call() {
                return Materials::NotTold;
            }
            let (reason, detail) = read_failure(&failure);
            // "Not found" here contradicts the `DescribeKey` just answered; it must not be
            // recorded as the key's own absence.
            let reason = match reason {
                UnknownReason::NotFound => UnknownReason::Malformed,
                UnknownReason::AccessDenied
                | UnknownReason::Credentials
                | UnknownReason::Throttled
                | UnknownReason::Unreachable
                | UnknownReason::WrongScope
                | UnknownReason::Malformed
                | UnknownReason::UnrecognisedState
                | UnknownReason::BackingKeyUnverified
                | UnknownReason::Unsupported => reason,
            };
            let detail = detail.unwrap_or_else(|| reason.word().to_owned());
            return Materials::Failed(
                reason,
                Some(format!("its key material could not be listed: {detail}")),
            );
        }
        Materials::Failed(
            UnknownReason::Malformed,
            Some("the list of its key material does not end".to_owned()),
        )
    }
    async fn within<T>(&self, which: Call, call: impl Future<Output = T>) -> Option<T> {
        let place = self.login.place(self.region);
        self.session.pace.within(which, &place, call).await
    }
}
