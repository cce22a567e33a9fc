//! One vault and the three questions that are put to it, each with its attempts within the time for
//! one call. What follows from the answers to a round of them is in the file above.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::http::Url;
use azure_core::http::pager::{PagerContinuation, PagerOptions};
use azure_security_keyvault_keys::KeyClient;
use azure_security_keyvault_keys::models::{
    KeyClientGetKeyOptions, KeyClientListKeyPropertiesVersionsOptions,
};
use backon::{ExponentialBuilder, Retryable};
use futures::TryStreamExt;

use super::Timing;
use super::credential::Chain;
use super::failure::{Failure, ServiceError};
use super::read::{Asked, Deleted, Facts, read_deleted, read_key, read_page};
use super::sdk::{date_of, failure_of};
use crate::model::key_id::{AzureKey, AzureKeyVersion};
use crate::model::{Provider, Timestamp};
use crate::probe::Session;
use crate::probe::pace::Call;

/// Pages of a list of versions: 25 versions each. A list beyond this does not end.
const MOST_PAGES: usize = 400;

/// What a round of questions said of one version.
pub(super) enum Told {
    Facts(Facts, Asked),
    /// Neither it nor any other version is there.
    Missing,
    /// Other versions are there: how many.
    NoSuchVersion(usize, Asked),
    Failed(Failure, Asked),
}

/// A live answer's body with the service's clock.
struct Body {
    bytes: Vec<u8>,
    date: Option<Timestamp>,
}

/// One vault, and who asks it how fast.
pub(super) struct Vault<'s, 'r> {
    pub client: Arc<KeyClient>,
    pub chain: &'s Arc<Chain>,
    pub host: String,
    pub timing: Timing,
    pub session: &'s Session<'r>,
}

/// What one round of questions brought.
pub(super) struct Round {
    pub versions: BTreeMap<AzureKeyVersion, Told>,
    /// Why the list of versions could not be had, or is empty.
    pub unit: Option<Failure>,
}

impl Vault<'_, '_> {
    /// Lists the versions; then shows each wanted one that the list calls enabled, because only
    /// the key itself names what it may be used for.
    pub(super) async fn round(
        &self,
        key: &AzureKey,
        wanted: &BTreeSet<AzureKeyVersion>,
        all: bool,
    ) -> Round {
        let enough = |found: &BTreeMap<AzureKeyVersion, Facts>| {
            !all && wanted.iter().all(|version| found.contains_key(version))
        };
        let mut round = Round {
            versions: BTreeMap::new(),
            unit: None,
        };
        let (listed, asked) = match self.list(key, enough).await {
            Ok(listed) => listed,
            Err((failure, asked)) => {
                for version in wanted {
                    let told = if failure.is_missing() {
                        Told::Missing
                    } else if failure.is_refusal_of_the_call() {
                        self.shown(version, None).await
                    } else {
                        Told::Failed(failure.clone(), asked.clone())
                    };
                    round.versions.insert(version.clone(), told);
                }
                round.unit = Some(failure);
                return round;
            }
        };
        // A service may list no versions of a key that is not there instead of answering 404.
        if listed.is_empty() {
            round.unit = Some(Failure::Service(ServiceError {
                status: 404,
                code: "KeyNotFound".to_owned(),
                ..ServiceError::default()
            }));
            let missing = wanted
                .iter()
                .map(|version| (version.clone(), Told::Missing));
            round.versions = missing.collect();
            return round;
        }
        let others = listed.len();
        let mut asked_for: BTreeMap<&AzureKeyVersion, Option<&Facts>> =
            wanted.iter().map(|version| (version, None)).collect();
        for (version, facts) in &listed {
            if all || wanted.contains(version) {
                asked_for.insert(version, Some(facts));
            }
        }
        for (version, facts) in asked_for {
            let told = match facts {
                Some(facts) if facts.enabled != Some(true) => {
                    Told::Facts(facts.clone(), asked.clone())
                }
                Some(_) => self.shown(version, None).await,
                None => self.shown(version, Some(others)).await,
            };
            round.versions.insert(version.clone(), told);
        }
        round
    }

    /// Shows one version. `others`: how many a list shows that does not have it.
    async fn shown(&self, version: &AzureKeyVersion, others: Option<usize>) -> Told {
        let options = || {
            Some(KeyClientGetKeyOptions {
                key_version: Some(version.version().to_owned()),
                ..KeyClientGetKeyOptions::default()
            })
        };
        let answer = self
            .ask(|| async {
                let answer = self.client.get_key(version.key().name(), options()).await?;
                let date = date_of(answer.headers());
                let bytes = answer.into_body().as_ref().to_vec();
                Ok(Body { bytes, date })
            })
            .await;
        match answer {
            Ok(body) => {
                let asked = self.asked(body.date);
                match read_key(version, &body.bytes) {
                    Ok(facts) => Told::Facts(facts, asked),
                    Err(why) => Told::Failed(Failure::Unparsable { status: 200, why }, asked),
                }
            }
            Err(failure) if failure.is_missing() => match others {
                Some(others) => Told::NoSuchVersion(others, self.asked(None)),
                None => Told::Missing,
            },
            Err(failure) => Told::Failed(failure, self.asked(None)),
        }
    }

    /// Every version, or as many pages as it takes to have `enough`.
    async fn list(
        &self,
        key: &AzureKey,
        enough: impl Fn(&BTreeMap<AzureKeyVersion, Facts>) -> bool,
    ) -> Result<(BTreeMap<AzureKeyVersion, Facts>, Asked), (Failure, Asked)> {
        let unusable = |why: String| {
            let failure = Failure::Unparsable { status: 200, why };
            (failure, self.asked(None))
        };
        let mut listed = BTreeMap::new();
        let mut first: Option<Asked> = None;
        let mut next: Option<Url> = None;
        for _page in 0..MOST_PAGES {
            let body = self
                .ask(|| self.page(key, next.as_ref()))
                .await
                .map_err(|failure| (failure, self.asked(None)))?;
            // A list is as old as its oldest page.
            let asked = first.get_or_insert_with(|| self.asked(body.date)).clone();
            let page = read_page(key, &body.bytes).map_err(unusable)?;
            listed.extend(page.versions);
            let Some(link) = page.next.filter(|_| !enough(&listed)) else {
                return Ok((listed, asked));
            };
            let Some(link) = self.own_list(key, &link) else {
                let why = "the list of versions goes on at another address";
                return Err(unusable(why.to_owned()));
            };
            next = Some(link);
        }
        Err(unusable("the list of versions does not end".to_owned()))
    }

    async fn page(&self, key: &AzureKey, next: Option<&Url>) -> azure_core::Result<Body> {
        let options = KeyClientListKeyPropertiesVersionsOptions {
            method_options: PagerOptions {
                continuation: next.cloned().map(PagerContinuation::Link),
                ..PagerOptions::default()
            },
            ..KeyClientListKeyPropertiesVersionsOptions::default()
        };
        let mut pages = self
            .client
            .list_key_properties_versions(key.name(), Some(options))?
            .into_pages();
        match pages.try_next().await? {
            Some(page) => Ok(Body {
                date: date_of(page.headers()),
                bytes: page.into_body().as_ref().to_vec(),
            }),
            None => Err(azure_core::Error::with_message(
                azure_core::error::ErrorKind::DataConversion,
                "the list of versions has no page",
            )),
        }
    }

    pub(super) async fn deleted(
        &self,
        key: &AzureKey,
    ) -> Result<(Deleted, Asked), (Failure, Asked)> {
        let answer = self
            .ask(|| async {
                let answer = self.client.get_deleted_key(key.name(), None).await?;
                let date = date_of(answer.headers());
                let bytes = answer.into_body().as_ref().to_vec();
                Ok(Body { bytes, date })
            })
            .await;
        match answer {
            Ok(body) => {
                let asked = self.asked(body.date);
                match read_deleted(key, &body.bytes) {
                    Ok(deleted) => Ok((deleted, asked)),
                    Err(why) => Err((Failure::Unparsable { status: 200, why }, asked)),
                }
            }
            Err(failure) => Err((failure, self.asked(None))),
        }
    }

    /// Puts one question, several times if it may help, within the time for one call. When that
    /// runs out, the last answer says why.
    async fn ask<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = azure_core::Result<T>>,
    {
        let last = Mutex::new(None);
        let note = |failure: &Failure| {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.clone());
        };
        let pace = self.session.pace;
        pace.turn(Call::KeyVault, &self.host).await;
        let backoff = ExponentialBuilder::default()
            .with_min_delay(self.timing.backoff)
            .with_factor(2.0)
            .with_max_times(self.timing.attempts.saturating_sub(1))
            .with_jitter();
        let tries = (|| async {
            attempt().await.map_err(|error| {
                let mut failure = failure_of(&error);
                if let (Failure::NoCredentials(why), Some(failed)) =
                    (&mut failure, self.chain.failed())
                {
                    *why = failed;
                }
                note(&failure);
                failure
            })
        })
        .retry(backoff)
        .when(Failure::may_pass)
        .adjust(|failure, pause| {
            let asked_for = Duration::from_secs(failure.retry_after().unwrap_or(0));
            pause.map(|pause| pause.max(asked_for))
        });
        match pace.within_call(Provider::Azure, tries).await {
            Some(answer) => answer,
            None => Err(last
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner)
                .unwrap_or(Failure::TimedOut)),
        }
    }

    pub(super) fn asked(&self, service_at: Option<Timestamp>) -> Asked {
        Asked {
            at: (self.session.clock)(),
            service_at,
            endpoint: format!("https://{}", self.host),
            identity: self.chain.identity(),
        }
    }

    /// A `nextLink`, if it goes on with the same list in the same vault.
    fn own_list(&self, key: &AzureKey, link: &str) -> Option<Url> {
        let link = Url::parse(&format!("https://{}/", self.host))
            .and_then(|base| base.join(link))
            .ok()?;
        let path = format!("/keys/{}/versions", key.name());
        let own = link.scheme() == "https"
            && link.host_str() == Some(&self.host)
            && link.port_or_known_default() == Some(443)
            && link.username().is_empty()
            && link
                .path()
                .trim_end_matches('/')
                .eq_ignore_ascii_case(&path);
        own.then_some(link)
    }
}
