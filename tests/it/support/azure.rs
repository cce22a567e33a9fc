//! Probing Key Vault through the library: names of vaults lead to the emulator, and everything
//! else (TLS, challenges, their verification) is as it is in earnest.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::OffsetDateTime;
use reqwest::dns::{Name, Resolve, Resolving};
use snapkey::model::evidence::Observation;
use snapkey::probe::aws::AwsProbe;
use snapkey::probe::azure::{AzureProbe, Timing};
use snapkey::probe::{Answer, Limits, Probes, Summary, Target, probe_all};

use super::aws::{at, config, key, limits, runtime};
use crate::emulator::azure::{Azure, TOKEN};

/// A key of the vault `payments`, without a version.
pub(crate) fn name(number: usize) -> String {
    format!("https://payments.vault.azure.net/keys/k{number}")
}

pub(crate) fn version(number: usize) -> String {
    format!("{number:032x}")
}

/// Version 1 of `name(number)`.
pub(crate) fn kid(number: usize) -> String {
    format!("{}/{}", name(number), version(1))
}

pub(crate) fn target(kid: &str) -> Target {
    Target::Key(key(kid))
}

/// Every host name that tests ask for.
const HOSTS: [&str; 8] = [
    "payments.vault.azure.net",
    "orders.vault.azure.net",
    "slow.vault.azure.net",
    "payments.vault.azure.cn",
    "payments.vault.usgovcloudapi.net",
    "payments.managedhsm.azure.net",
    "payments.managedhsm.azure.cn",
    "payments.managedhsm.usgovcloudapi.net",
];

/// Does without waiting.
pub(crate) const AT_ONCE: Timing = Timing {
    pause: Duration::from_millis(5),
    backoff: Duration::from_millis(1),
    attempts: 3,
};

/// Always has this token.
#[derive(Debug)]
pub(crate) struct Given(pub(crate) String);

#[async_trait]
impl TokenCredential for Given {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let ahead = OffsetDateTime::now_utc() + Duration::from_secs(3600);
        Ok(AccessToken::new(self.0.clone(), ahead))
    }
}

/// Knows no name, as a DNS server that answers NXDOMAIN: nothing of a test leaves the machine.
struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move { Err(format!("no record found for `{name}`").into()) })
    }
}

/// HTTPS that trusts the emulator and finds it under the names of vaults.
pub(crate) fn https(azure: &Azure) -> reqwest::Client {
    https_trusting(azure, azure.ca_pem())
}

pub(crate) fn https_trusting(azure: &Azure, ca_pem: &str) -> reqwest::Client {
    let authorities = reqwest::Certificate::from_pem_bundle(ca_pem.as_bytes()).unwrap();
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(NoNames))
        .tls_certs_merge(authorities);
    HOSTS
        .iter()
        .fold(builder, |builder, host| {
            builder.resolve(host, azure.address())
        })
        .build()
        .unwrap()
}

pub(crate) fn probes(http: reqwest::Client, timing: Timing) -> Probes {
    probes_with(AzureProbe::with(
        http,
        Arc::new(Given(TOKEN.to_owned())),
        timing,
    ))
}

pub(crate) fn probes_with(azure: AzureProbe) -> Probes {
    let mut probes = Probes::new(AwsProbe::from_config(config("http://127.0.0.1:9")));
    probes.azure = Some(azure);
    probes
}

/// Runs a probe to its end.
pub(crate) fn run(
    probes: &Probes,
    targets: Vec<Target>,
    limits: &Limits,
) -> (Vec<Answer>, Summary) {
    let mut answers = Vec::new();
    let summary = runtime().block_on(probe_all(
        targets,
        probes,
        limits,
        &at,
        &mut |answer| answers.push(answer),
        std::future::pending(),
    ));
    answers.sort_by(|a: &Answer, b: &Answer| a.target.cmp(&b.target));
    (answers, summary)
}

/// The one observation of one key version.
pub(crate) fn observe(azure: &Azure, kid: &str) -> Observation {
    observe_by(&probes(https(azure), AT_ONCE), kid, &limits())
}

pub(crate) fn observe_by(probes: &Probes, kid: &str, limits: &Limits) -> Observation {
    let (answers, _) = run(probes, vec![target(kid)], limits);
    let mut observations = answers.into_iter().flat_map(|answer| answer.observations);
    let observation = observations.next().unwrap();
    assert_eq!(observations.next(), None, "asked twice");
    assert_eq!(observation.key, key(kid));
    observation
}
