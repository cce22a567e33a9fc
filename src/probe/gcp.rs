//! Asks Google Cloud KMS. Only `ListCryptoKeyVersions`, `GetCryptoKey`, `GetCryptoKeyVersion` and
//! `ListRetiredResources` are ever called; all are GETs. No key is ever exercised: for a key in an
//! external key manager a decryption that the manager refuses makes Google disable the version.
//!
//! This file is the asking half; what answers mean is in `read` and `failure`, which are pure.
//! Credentials are Google's own default chain, the quota project included.

mod budget;
mod endpoint;
mod failure;
mod read;
mod recorded;
mod sdk;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::lock::Mutex;
use google_cloud_auth::credentials::Credentials;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_kms_v1::client::KeyManagementService;

use self::budget::{Budget, READS_A_MINUTE};
use self::failure::{Failure, read_failure, redact};
use self::read::{AboutKey, Asked, Version, is_spelled, needs_key, read_retired, read_version};
use self::sdk::{
    default_credentials, failure_of, log_in, own_key, own_retired, own_version, who_asks,
};
use super::Session;
use super::pace::{Limits, Pace, Wait};
use crate::model::evidence::{Condition, Observation, UnknownReason};
use crate::model::key_id::GcpKey;
use crate::model::{KeyId, Provider, Timestamp};

pub use self::endpoint::{Endpoint, EndpointError};
pub use self::recorded::{is_google, read_recorded};

/// Google Cloud KMS at one endpoint, with one credential.
#[derive(Debug)]
pub struct GcpProbe {
    endpoint: Endpoint,
    /// `None`: Google's default chain, or nobody at an emulator on this machine.
    credentials: Option<Credentials>,
    /// Whose keys may be asked about, as key names spell them; none: everybody's.
    projects: Vec<String>,
    budget: Budget,
    first_pause: Duration,
    /// Made by the first question: who asks about no Google key needs no Google login.
    ready: Mutex<Option<Result<Ready, Failure>>>,
}

/// A client that has a token.
#[derive(Clone, Debug)]
struct Ready {
    client: KeyManagementService,
    identity: Option<String>,
}

/// The versions of one key that are asked about, by number.
type Wanted<'k> = BTreeMap<u64, &'k KeyId>;

/// Less than the default of `Limits::call`; the metadata server of no machine at all is looked for
/// far longer.
const TOKEN_WITHIN: Duration = Duration::from_secs(8);
/// Who asks is worth knowing, never worth waiting for.
const IDENTITY_WITHIN: Duration = Duration::from_secs(5);
/// The largest page that the service gives.
const PAGE: i32 = 1000;
/// A list beyond this many pages does not end.
const MOST_PAGES: usize = 32;
/// Attempts after the first.
const RETRIES: usize = 2;

impl GcpProbe {
    /// With Google's default credentials: `GOOGLE_APPLICATION_CREDENTIALS`, the file of `gcloud
    /// auth application-default login`, the metadata server. At a plain http endpoint, which is
    /// on this machine, without any. Nothing is asked yet.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            credentials: None,
            projects: Vec::new(),
            budget: Budget::new(Some(READS_A_MINUTE)),
            first_pause: Duration::from_millis(500),
            ready: Mutex::new(None),
        }
    }

    /// With credentials made elsewhere.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self {
            credentials: Some(credentials),
            ..self
        }
    }

    /// Asks about keys of these projects only; with none given, of all.
    #[must_use]
    pub fn with_projects(self, projects: Vec<String>) -> Self {
        Self { projects, ..self }
    }

    /// Whether this key would be asked about. Of one that is not, nothing is observed: an answer
    /// that somebody else recorded is not to be outvoted by a question nobody put.
    pub fn asks_about(&self, key: &KeyId) -> bool {
        match key {
            KeyId::Gcp(version) => {
                let own = |project: &String| project == version.key().project();
                self.projects.is_empty() || self.projects.iter().any(own)
            }
            KeyId::Aws(_) | KeyId::Azure(_) | KeyId::Kmip(_) => false,
        }
    }

    /// With another budget of reads a minute for the calling project; `None` leaves it to the
    /// service to throttle.
    #[must_use]
    pub fn with_reads_a_minute(self, reads: Option<NonZeroU32>) -> Self {
        Self {
            budget: Budget::new(reads),
            ..self
        }
    }

    /// With another pause before a second attempt; a third one waits four times as long.
    #[must_use]
    pub fn with_first_pause(self, first_pause: Duration) -> Self {
        Self {
            first_pause,
            ..self
        }
    }

    /// How long it takes at least to ask about so many keys (`CryptoKey`s, however many versions),
    /// so that whoever waits can be told beforehand. A key takes two reads.
    pub fn least_time(&self, keys: usize) -> Duration {
        let reads = u32::try_from(keys).unwrap_or(u32::MAX).saturating_mul(2);
        self.budget.least(reads)
    }

    /// Asks about versions of one key: one list answers for all of them. Gives an observation of
    /// each version that it [asks about](Self::asks_about): that no answer could be had is one.
    pub(super) async fn probe(&self, keys: &[KeyId], session: &Session<'_>) -> Vec<Observation> {
        self.ask(keys, session.pace, session.clock).await
    }

    /// Asks about any versions, one key after the other.
    pub async fn probe_each(
        &self,
        keys: &[KeyId],
        limits: &Limits,
        clock: &(dyn Fn() -> Timestamp + Sync),
    ) -> Vec<Observation> {
        self.ask(keys, &Pace::new(limits), clock).await
    }

    async fn ask(
        &self,
        keys: &[KeyId],
        pace: &Pace,
        clock: &(dyn Fn() -> Timestamp + Sync),
    ) -> Vec<Observation> {
        let mut by_key: BTreeMap<&GcpKey, Wanted<'_>> = BTreeMap::new();
        for key in keys.iter().filter(|key| self.asks_about(key)) {
            if let KeyId::Gcp(version) = key {
                let wanted = by_key.entry(version.key()).or_default();
                wanted.insert(version.version(), key);
            }
        }
        let mut observations = Vec::new();
        for (parent, wanted) in by_key {
            observations.extend(self.ask_one(parent, &wanted, pace, clock).await);
        }
        observations
    }

    /// Asks about versions of one key.
    async fn ask_one(
        &self,
        parent: &GcpKey,
        wanted: &Wanted<'_>,
        pace: &Pace,
        clock: &(dyn Fn() -> Timestamp + Sync),
    ) -> Vec<Observation> {
        let ready = match self.ready(pace).await {
            Ok(ready) => ready,
            Err(failure) => {
                let asked = self.asked(clock(), None);
                let keys = wanted.values();
                return keys.map(|key| unknown(key, &failure, &asked)).collect();
            }
        };
        let client = &ready.client;
        let answers = self.versions(client, parent, wanted, pace).await;
        let asked = self.asked(clock(), ready.identity.clone());
        let found = || answers.values().filter_map(|answer| answer.as_ref().ok());
        let retired = if found().next().is_none() && answers.values().any(is_not_found) {
            self.retired(client, parent, pace).await
        } else {
            None
        };
        let about_key = if found().any(needs_key) {
            self.about_key(client, parent, pace).await
        } else {
            AboutKey::Failed(UnknownReason::Malformed, Some("nobody asked".to_owned()))
        };
        let mut observations = Vec::new();
        for (number, key) in wanted {
            observations.push(match (answers.get(number), &retired) {
                (Some(Ok(version)), _) => read_version(key, version, &about_key, &asked),
                (Some(Err(failure)), Some(gone)) => {
                    asked.observation(key, gone.clone(), failure.native())
                }
                (Some(Err(failure)), None) => unknown(key, failure, &asked),
                (None, _) => unknown(key, &Failure::NotListed, &asked),
            });
        }
        observations
    }

    /// What the service says about each version: from the list, or, where this caller may not
    /// list, one by one.
    async fn versions(
        &self,
        client: &KeyManagementService,
        parent: &GcpKey,
        wanted: &Wanted<'_>,
        pace: &Pace,
    ) -> BTreeMap<u64, Result<Version, Failure>> {
        let (mut found, end) = self.list(client, parent, wanted, pace).await;
        let mut answers = BTreeMap::new();
        let mut refused = None;
        for (number, key) in wanted {
            let answer = match (found.remove(number), &end, &refused) {
                (Some(version), _, _) => Ok(version),
                (None, Ok(()), _) => Err(Failure::NotListed),
                // Rights are given for a key, never for a version: one refusal is all of them.
                (None, Err(_), Some(refused)) => Err(Failure::clone(refused)),
                (None, Err(failure), None) if failure.is_refusal_of_the_call() => {
                    let one = self.version(client, key, pace).await;
                    refused = one
                        .as_ref()
                        .err()
                        .filter(|why| why.is_refusal_of_the_call())
                        .cloned();
                    one
                }
                (None, Err(failure), None) => Err(failure.clone()),
            };
            answers.insert(*number, answer);
        }
        answers
    }

    /// The wanted versions on the pages of the key's list, read until all of them were seen, and
    /// how the list ended.
    async fn list(
        &self,
        client: &KeyManagementService,
        parent: &GcpKey,
        wanted: &Wanted<'_>,
        pace: &Pace,
    ) -> (BTreeMap<u64, Version>, Result<(), Failure>) {
        let mut found = BTreeMap::new();
        let mut token = String::new();
        for _page in 0..MOST_PAGES {
            let call = || {
                let list = client
                    .list_crypto_key_versions()
                    .set_parent(parent.to_string());
                list.set_page_size(PAGE)
                    .set_page_token(token.clone())
                    .send()
            };
            let page = match self.read(pace, call).await {
                Ok(page) => page,
                Err(failure) => return (found, Err(failure)),
            };
            for version in page.crypto_key_versions {
                let named = own_version(version).and_then(|version| {
                    let number = number_in(parent, &version.name)?;
                    Ok((number, version))
                });
                match named {
                    Ok((number, version)) if wanted.contains_key(&number) => {
                        let before = found.insert(number, version.clone());
                        if before.is_some_and(|before| before != version) {
                            let twice = format!("the list tells version {number} in two ways");
                            return (BTreeMap::new(), Err(Failure::Malformed(twice)));
                        }
                    }
                    Ok(_) => {}
                    Err(why) => return (BTreeMap::new(), Err(Failure::Malformed(why))),
                }
            }
            if page.next_page_token.is_empty() || found.len() == wanted.len() {
                return (found, Ok(()));
            }
            token = page.next_page_token;
        }
        let endless = "the list of its versions does not end".to_owned();
        (found, Err(Failure::Malformed(endless)))
    }

    async fn version(
        &self,
        client: &KeyManagementService,
        key: &KeyId,
        pace: &Pace,
    ) -> Result<Version, Failure> {
        let call = || {
            client
                .get_crypto_key_version()
                .set_name(key.to_string())
                .send()
        };
        let version = self.read(pace, call).await?;
        own_version(version).map_err(Failure::Malformed)
    }

    async fn about_key(
        &self,
        client: &KeyManagementService,
        parent: &GcpKey,
        pace: &Pace,
    ) -> AboutKey {
        let call = || client.get_crypto_key().set_name(parent.to_string()).send();
        match self.read(pace, call).await {
            Ok(key) => AboutKey::Told(own_key(key)),
            // A version of it was just read: this must not be told as the key's own absence.
            Err(failure) if failure.is_not_found() => AboutKey::Failed(
                UnknownReason::Malformed,
                Some("the key is not found, but its version is".to_owned()),
            ),
            Err(failure) => {
                let (reason, detail) = read_failure(&failure);
                AboutKey::Failed(reason, detail)
            }
        }
    }

    /// Looks for the record that a deleted key leaves behind. `None`: there is none, or this
    /// caller may not see it.
    async fn retired(
        &self,
        client: &KeyManagementService,
        parent: &GcpKey,
        pace: &Pace,
    ) -> Option<Condition> {
        let place = format!(
            "projects/{}/locations/{}",
            parent.project(),
            parent.location()
        );
        let mut token = String::new();
        for _page in 0..MOST_PAGES {
            let call = || {
                let list = client.list_retired_resources().set_parent(place.clone());
                list.set_page_size(PAGE)
                    .set_page_token(token.clone())
                    .send()
            };
            let page = self.read(pace, call).await.ok()?;
            let gone = page
                .retired_resources
                .into_iter()
                .filter_map(|retired| own_retired(retired).ok())
                .find_map(|retired| read_retired(parent, &retired));
            if gone.is_some() || page.next_page_token.is_empty() {
                return gone;
            }
            token = page.next_page_token;
        }
        None
    }

    /// One call with its attempts: each takes its turn, and all together no longer than a call may
    /// take, the turns left out.
    async fn read<T, F>(&self, pace: &Pace, call: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, google_cloud_gax::error::Error>>,
    {
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(self.first_pause)
            .with_factor(4.0)
            .with_max_times(RETRIES)
            .build();
        let mut left = pace.call();
        loop {
            {
                let _waiting = pace.waits().count(Provider::Gcp, Wait::Quota);
                self.budget.turn().await;
            }
            let _waiting = pace.waits().count(Provider::Gcp, Wait::Answer);
            let started = Instant::now();
            let failure = match tokio::time::timeout(left, call()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => failure_of(&error),
                Err(_elapsed) => return Err(Failure::TimedOut),
            };
            left = left.saturating_sub(started.elapsed());
            match pauses.next() {
                Some(pause) if failure.may_pass() && pause < left => {
                    tokio::time::sleep(pause).await;
                    left -= pause;
                }
                Some(_) | None => return Err(failure),
            }
        }
    }

    /// The client, made and logged in once. A login that failed is not tried again for each of a
    /// thousand keys.
    async fn ready(&self, pace: &Pace) -> Result<Ready, Failure> {
        let mut ready = self.ready.lock().await;
        match &*ready {
            Some(ready) => ready.clone(),
            None => ready.insert(self.connect(pace).await).clone(),
        }
    }

    async fn connect(&self, pace: &Pace) -> Result<Ready, Failure> {
        let (credentials, identity) = match &self.credentials {
            Some(given) => (given.clone(), None),
            None if self.endpoint.is_plain() => {
                let anonymous = google_cloud_auth::credentials::anonymous::Builder::new();
                (anonymous.build(), None)
            }
            None => (default_credentials()?, Some(who_asks())),
        };
        match tokio::time::timeout(pace.call().min(TOKEN_WITHIN), log_in(&credentials)).await {
            Ok(logged_in) => logged_in?,
            Err(_elapsed) => {
                let why = "no token for the Google credentials in time".to_owned();
                return Err(Failure::NoCredentials(why));
            }
        }
        let identity = match identity {
            Some(who) => tokio::time::timeout(IDENTITY_WITHIN, who)
                .await
                .ok()
                .flatten(),
            None => None,
        };
        let client = KeyManagementService::builder()
            .with_endpoint(self.endpoint.url())
            .with_credentials(credentials)
            // Attempts are made in `read`, where each takes its turn.
            .with_retry_policy(NeverRetry)
            .build()
            .await
            .map_err(|error| Failure::NotSent(redact(&error.to_string())))?;
        Ok(Ready { client, identity })
    }

    fn asked(&self, at: Timestamp, identity: Option<String>) -> Asked {
        Asked {
            at,
            endpoint: self.endpoint.url().to_owned(),
            identity,
        }
    }
}

fn is_not_found(answer: &Result<Version, Failure>) -> bool {
    answer.as_ref().is_err_and(Failure::is_not_found)
}

fn unknown(key: &KeyId, failure: &Failure, asked: &Asked) -> Observation {
    let (reason, detail) = read_failure(failure);
    asked.observation(key, Condition::Unknown { reason, detail }, failure.native())
}

/// The number of a listed version. One of another key spoils the list: it is an answer to another
/// question.
fn number_in(parent: &GcpKey, name: &str) -> Result<u64, String> {
    let number = name
        .rsplit('/')
        .next()
        .and_then(|number| number.parse().ok());
    number
        .filter(|number| {
            let own = parent.at_version(*number).map(KeyId::Gcp);
            own.is_some_and(|own| is_spelled(&own, name))
        })
        .ok_or_else(|| format!("the list names `{}`, no version of the key", redact(name)))
}
