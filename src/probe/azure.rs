//! Asks Azure Key Vault and Managed HSM. Only `GET /keys/{name}/versions`, `GET
//! /keys/{name}/{version}` and `GET /deletedkeys/{name}` are ever sent; the transport refuses
//! everything else. No key is used, nothing is recovered, and no name is probed by creating it.
//!
//! This file is the asking half: which question follows from which answer. What answers mean is in
//! `read` and `failure`, which are pure. Tokens, challenges and wire formats are the official
//! client's, proxies and TLS are `reqwest`'s.

mod credential;
mod failure;
mod read;
mod recorded;
mod sdk;
mod vault;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_security_keyvault_keys::KeyClient;

use self::credential::{Chain, Cloud, ForVault, machines_own_link, scope_of};
use self::failure::Failure;
use self::read::Asked;
use self::sdk::{https, key_client};
use self::vault::{Told, Vault};
use super::pace::Wait;
use super::{Session, Settings};
use crate::model::Provider;
use crate::model::evidence::{Observation, UnknownReason};
use crate::model::key_id::{AzureKey, AzureKeyVersion};

pub(super) use self::recorded::is_azure;
pub use self::recorded::read_recorded;

/// How long the probe waits on its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Before a key that is neither live nor deleted is asked for again: while a key is being
    /// deleted or recovered, both places may say so for some seconds.
    pub pause: Duration,
    /// Before the second attempt at one question; the third waits twice as long, and so on.
    pub backoff: Duration,
    pub attempts: usize,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            pause: Duration::from_secs(3),
            backoff: Duration::from_secs(1),
            attempts: 4,
        }
    }
}

/// Key Vault and Managed HSM in every cloud, each with one credential.
pub struct AzureProbe {
    http: reqwest::Client,
    chains: BTreeMap<Cloud, Arc<Chain>>,
    timing: Timing,
    /// `None`: the client's own.
    api_version: Option<String>,
    vaults: Mutex<BTreeMap<String, Arc<KeyClient>>>,
}

impl fmt::Debug for AzureProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureProbe")
            .field("chains", &self.chains)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

/// What was learned about one key name.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// One for each wanted version; with all versions wanted, one for each that was found.
    pub observations: Vec<Observation>,
    /// Why no version is known, if all were wanted.
    pub unresolved: Option<(UnknownReason, String)>,
}

impl AzureProbe {
    /// Finds credentials where the Azure tools find them. Nothing is asked yet.
    ///
    /// # Errors
    /// When the private certificate authority cannot be used.
    pub fn load(settings: &Settings<'_>) -> Result<Self, String> {
        let http = https(settings.ca_pem)?;
        let link = machines_own_link()?;
        let chains = [Cloud::Public, Cloud::Government, Cloud::China]
            .into_iter()
            .map(|cloud| {
                let chain = Chain::found(cloud, &http, &link, settings.environment);
                (cloud, Arc::new(chain))
            })
            .collect();
        Ok(Self::of(http, chains, Timing::default()))
    }

    /// With a client and a credential made elsewhere.
    pub fn with(
        http: reqwest::Client,
        credential: Arc<dyn TokenCredential>,
        timing: Timing,
    ) -> Self {
        let chain = Arc::new(Chain::only(credential));
        let chains = [Cloud::Public, Cloud::Government, Cloud::China]
            .into_iter()
            .map(|cloud| (cloud, Arc::clone(&chain)))
            .collect();
        Self::of(http, chains, timing)
    }

    /// Speaks this version of the API instead of the client's own.
    #[must_use]
    pub fn with_api_version(mut self, api_version: &str) -> Self {
        self.api_version = Some(api_version.to_owned());
        self
    }

    fn of(http: reqwest::Client, chains: BTreeMap<Cloud, Arc<Chain>>, timing: Timing) -> Self {
        Self {
            http,
            chains,
            timing,
            api_version: None,
            vaults: Mutex::default(),
        }
    }

    /// Asks about versions of one key. Every wanted version gets an observation: that no answer
    /// could be had is one.
    pub(super) async fn probe(
        &self,
        key: &AzureKey,
        wanted: &BTreeSet<AzureKeyVersion>,
        all: bool,
        session: &Session<'_>,
    ) -> Learned {
        let vault = match self.vault(key, session).await {
            Ok(vault) => vault,
            Err((failure, asked)) => return Learned::failed(wanted, all, &failure, &asked),
        };
        let mut learned = Learned::default();
        let mut open = wanted.clone();
        let mut unit = all;
        for last in [false, true] {
            let round = vault.round(key, &open, unit).await;
            if unit {
                match &round.unit {
                    Some(failure) if failure.is_missing() => {}
                    Some(failure) => {
                        unit = false;
                        learned.unresolved = Some(reason_of(failure));
                    }
                    None => unit = false,
                }
            }
            for (version, told) in round.versions {
                let observation = match told {
                    Told::Facts(facts, asked) => asked.told(&version, &facts),
                    Told::NoSuchVersion(others, asked) => asked.no_such_version(&version, others),
                    Told::Failed(failure, asked) => asked.failed(&version, &failure),
                    Told::Missing => {
                        open.insert(version);
                        continue;
                    }
                };
                open.remove(&version);
                learned.observations.push(observation);
            }
            if open.is_empty() && !unit {
                return learned;
            }
            match vault.deleted(key).await {
                Ok((deleted, asked)) => {
                    open.extend(deleted.shown.clone().filter(|_| unit));
                    let versions = open.iter();
                    learned
                        .observations
                        .extend(versions.map(|version| asked.deleted(version, &deleted)));
                    return learned;
                }
                Err((failure, _)) if failure.is_missing() => {}
                Err((failure, asked)) => {
                    // Not "not found": who may not look among the deleted keys cannot tell.
                    let rest = Learned::failed(&open, unit, &failure, &asked);
                    learned.observations.extend(rest.observations);
                    learned.unresolved = learned.unresolved.or(rest.unresolved);
                    return learned;
                }
            }
            if !last {
                let _pausing = session.pace.waits().count(Provider::Azure, Wait::Pause);
                tokio::time::sleep(self.timing.pause).await;
            }
        }
        let asked = vault.asked(None);
        learned
            .observations
            .extend(open.iter().map(|version| asked.not_found(version)));
        if unit {
            let why = format!("`{key}` is neither a live nor a deleted key, asked twice");
            learned.unresolved = Some((UnknownReason::NotFound, why));
        }
        learned
    }

    /// The client for the key's vault, once there is a token for it.
    async fn vault<'s, 'r>(
        &'s self,
        key: &AzureKey,
        session: &'s Session<'r>,
    ) -> Result<Vault<'s, 'r>, (Failure, Asked)> {
        let host = key.host();
        let chain = self.chains.get(&Cloud::of(host));
        let asked = |chain: Option<&Arc<Chain>>| Asked {
            at: (session.clock)(),
            service_at: None,
            endpoint: format!("https://{host}"),
            identity: chain.and_then(|chain| chain.identity()),
        };
        let Some(chain) = chain else {
            let failure = Failure::NoCredentials("no credential for this cloud".to_owned());
            return Err((failure, asked(None)));
        };
        if let Err(why) = chain.ready(&scope_of(host)).await {
            return Err((Failure::NoCredentials(why), asked(Some(chain))));
        }
        let client = match self.client(host, chain) {
            Ok(client) => client,
            Err(failure) => return Err((failure, asked(Some(chain)))),
        };
        Ok(Vault {
            client,
            chain,
            host: host.to_owned(),
            timing: self.timing,
            session,
        })
    }

    fn client(&self, host: &str, chain: &Arc<Chain>) -> Result<Arc<KeyClient>, Failure> {
        let mut vaults = self.vaults.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = vaults.get(host) {
            return Ok(Arc::clone(client));
        }
        let credential = Arc::new(ForVault {
            chain: Arc::clone(chain),
            scope: scope_of(host),
        });
        let client = key_client(host, &self.http, credential, self.api_version.as_deref())?;
        let client = Arc::new(client);
        vaults.insert(host.to_owned(), Arc::clone(&client));
        Ok(client)
    }
}

impl Learned {
    fn failed(
        wanted: &BTreeSet<AzureKeyVersion>,
        all: bool,
        failure: &Failure,
        asked: &Asked,
    ) -> Self {
        Self {
            observations: wanted
                .iter()
                .map(|version| asked.failed(version, failure))
                .collect(),
            unresolved: all.then(|| reason_of(failure)),
        }
    }
}

fn reason_of(failure: &Failure) -> (UnknownReason, String) {
    let reason = match failure.meaning() {
        failure::Meaning::Unknown(reason) => reason,
        failure::Meaning::Missing => UnknownReason::NotFound,
        failure::Meaning::State(_) => UnknownReason::UnrecognisedState,
    };
    (reason, failure.detail())
}
