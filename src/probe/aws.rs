//! Asks AWS KMS. Only `DescribeKey`, `ListKeyRotations` and `sts:GetCallerIdentity` are ever
//! called; none of them changes anything, and aliases are never named (a `DescribeKey` of
//! `alias/aws/…` would create the managed key).
//!
//! This file is the asking half; what answers mean is in `read` and `failure`, which are pure.
//! Credentials, regions' endpoints, proxies, retries and `AWS_ENDPOINT_URL_KMS` are the SDK's.

mod failure;
mod read;
mod recorded;
mod sdk;
mod tls;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_kms::Client;
use aws_sdk_kms::types::IncludeKeyMaterial;

use self::failure::{Failure, read_failure, redact};
use self::read::{Asked, KeyMetadata, Materials, needs_materials, read_describe_key};
use self::sdk::{
    FailsOnce, SeenEndpoint, failure_of, own_materials, own_metadata, without_session,
};
use super::Session;
use super::pace::Call;
use crate::model::evidence::{Observation, UnknownReason};
use crate::model::{KeyId, Spelling, Timestamp};

pub use self::recorded::read_recorded;
pub use self::tls::{NoAuthority, PrivateAuthority};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub account: String,
    /// The principal's ARN; of an assumed role without the session's name, which changes from
    /// run to run.
    pub principal: String,
}

/// AWS KMS in every region, with one credential.
#[derive(Debug)]
pub struct AwsProbe {
    config: SdkConfig,
    clients: Mutex<BTreeMap<String, Regional>>,
}

/// One region's client.
#[derive(Clone, Debug)]
struct Regional {
    client: Client,
    asked: SeenEndpoint,
}

/// `GetCallerIdentity` may take this long; the probe does not wait for it any longer.
const IDENTITY_WITHIN: Duration = Duration::from_secs(5);
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
        Self {
            config: builder.build(),
            clients: Mutex::default(),
        }
    }

    /// Asks once who is asking. `None` when that cannot be had: it is worth knowing, never worth
    /// failing for. The regional endpoint is taken, the global one is a single point of failure.
    pub(super) async fn identity(&self, region_of_a_key: &str) -> Option<Identity> {
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
        match tokio::time::timeout(IDENTITY_WITHIN, call).await {
            Ok(Ok(answer)) => Some(Identity {
                account: redact(answer.account()?),
                principal: without_session(&redact(answer.arn()?)),
            }),
            Ok(Err(error)) => {
                let (reason, detail) = read_failure(&failure_of(&error));
                tracing::warn!(
                    reason = reason.word(),
                    detail,
                    "AWS does not tell which identity asks"
                );
                None
            }
            Err(_elapsed) => {
                tracing::warn!("AWS does not tell in time which identity asks");
                None
            }
        }
    }

    /// Asks about a key in its own region. Always gives an observation: that no answer could be
    /// had is one. The identity is left to the caller, who may not know it yet.
    pub(super) async fn probe(&self, key: &KeyId, session: &Session<'_>) -> Option<Observation> {
        let aws = key.aws()?;
        let regional = self.regional(aws.region());
        let answer = self
            .describe(&regional, &key.to_string(), aws.region(), session)
            .await;
        let asked = regional.asked_at((session.clock)(), aws.region());
        let metadata = match answer {
            Ok(metadata) => metadata,
            Err(failure) => {
                let (reason, detail) = read_failure(&failure);
                return Some(asked.unknown(key.clone(), reason, detail, failure.native()));
            }
        };
        Some(self.read(key, &metadata, asked, &regional, session).await)
    }

    /// Asks about a bare key id in a region of the caller's account: the answer's ARN completes
    /// it.
    pub(super) async fn resolve(
        &self,
        id: &str,
        region: &str,
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
        let regional = self.regional(region);
        let metadata = self
            .describe(&regional, id, region, session)
            .await
            .map_err(|failure| {
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
        Ok(self.read(&key, &metadata, asked, &regional, session).await)
    }

    async fn read(
        &self,
        key: &KeyId,
        metadata: &KeyMetadata,
        asked: Asked,
        regional: &Regional,
        session: &Session<'_>,
    ) -> Observation {
        let materials = if needs_materials(metadata) {
            self.materials(regional, key, session).await
        } else {
            Materials::NotTold
        };
        read_describe_key(key, metadata, &materials, asked)
    }

    async fn describe(
        &self,
        regional: &Regional,
        id: &str,
        region: &str,
        session: &Session<'_>,
    ) -> Result<KeyMetadata, Failure> {
        let call = regional.client.describe_key().key_id(id).send();
        let answer = session
            .pace
            .within(Call::DescribeKey, region, call)
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
    async fn materials(
        &self,
        regional: &Regional,
        key: &KeyId,
        session: &Session<'_>,
    ) -> Materials {
        let Some(aws) = key.aws() else {
            return Materials::NotTold;
        };
        if let Some(identity) = session.identity.clone().await
            && identity.account != aws.account()
        {
            return Materials::NotTold;
        }
        let mut listed = Vec::new();
        let mut marker: Option<String> = None;
        for _page in 0..MOST_PAGES {
            let call = regional
                .client
                .list_key_rotations()
                .key_id(key.to_string())
                .include_key_material(IncludeKeyMaterial::AllKeyMaterial)
                .set_marker(marker.take())
                .send();
            let failure = match session
                .pace
                .within(Call::ListKeyRotations, aws.region(), call)
                .await
            {
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

    fn regional(&self, region: &str) -> Regional {
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
    fn asked_at(&self, at: Timestamp, region: &str) -> Asked {
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
