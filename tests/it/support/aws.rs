//! Probing AWS KMS through the library, with settings that a test makes itself.

use std::num::NonZeroUsize;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use snapkey::model::evidence::{Condition, Observation};
use snapkey::model::{KeyId, Timestamp};
use snapkey::probe::aws::AwsProbe;
use snapkey::probe::{Answer, Limits, Probes, Summary, Target, probe_all};

/// What every session of a test signs with; no detail may ever repeat it.
pub(crate) const SECRET: &str = "qPz7nLr2vXk9sTy4wBd6hJm1cFg8aEu3oIi5RzQx";
pub(crate) const TOKEN: &str = "FwoGZXIvYXdzEJr7nLr2vXk9sTy4wBd6hJm1cFg8aEu3oIi5RzQxFwoGZXIv";

/// The instant at which every answer is dated.
pub(crate) fn at() -> Timestamp {
    Timestamp::floor("2026-11-01T06:00:00Z").unwrap()
}

pub(crate) fn key(arn: &str) -> KeyId {
    arn.parse().unwrap()
}

/// A key of `eu-west-1` in the emulator's account.
pub(crate) fn arn(number: u32) -> String {
    format!("arn:aws:kms:eu-west-1:111122223333:key/{}", uuid(number))
}

pub(crate) fn uuid(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

/// `arn(n)` for each number.
pub(crate) fn targets(numbers: std::ops::Range<u32>) -> Vec<Target> {
    numbers
        .map(|number| Target::Key(key(&arn(number))))
        .collect()
}

/// Static credentials, retries without waiting.
pub(crate) fn config(url: &str) -> SdkConfig {
    config_with(
        url,
        Credentials::new("AKIDTEST", SECRET, Some(TOKEN.to_owned()), None, "test"),
    )
}

pub(crate) fn config_with(url: &str, credentials: Credentials) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(
            RetryConfig::standard()
                .with_initial_backoff(Duration::from_millis(1))
                .with_max_backoff(Duration::from_millis(2)),
        )
        .build()
}

pub(crate) fn limits() -> Limits {
    Limits {
        in_flight: NonZeroUsize::new(4).unwrap(),
        per_second: None,
        call: Duration::from_secs(10),
        deadline: None,
    }
}

/// Runs a probe to its end.
pub(crate) fn run(
    config: SdkConfig,
    targets: Vec<Target>,
    limits: &Limits,
) -> (Vec<Answer>, Summary) {
    run_until(config, targets, limits, std::future::pending())
}

/// Runs a probe that `cancelled` may end early.
pub(crate) fn run_until(
    config: SdkConfig,
    targets: Vec<Target>,
    limits: &Limits,
    cancelled: impl Future<Output = ()>,
) -> (Vec<Answer>, Summary) {
    let probes = Probes::new(AwsProbe::from_config(config));
    let mut answers = Vec::new();
    let summary = runtime().block_on(probe_all(
        targets,
        &probes,
        limits,
        &at,
        &mut |answer| answers.push(answer),
        cancelled,
    ));
    answers.sort_by(|a: &Answer, b: &Answer| a.target.cmp(&b.target));
    (answers, summary)
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The one observation of one key.
pub(crate) fn observe(url: &str, arn: &str) -> Observation {
    observe_within(url, arn, &limits())
}

pub(crate) fn observe_within(url: &str, arn: &str, limits: &Limits) -> Observation {
    let (answers, _) = run(config(url), vec![Target::Key(key(arn))], limits);
    let mut of_it = answers
        .into_iter()
        .flat_map(|answer| answer.observations)
        .filter(|observation| observation.key == key(arn));
    let observation = of_it.next().unwrap();
    assert_eq!(of_it.next(), None, "asked twice");
    observation
}

/// `word`, `word DATE`, or `unknown REASON`.
pub(crate) fn short(condition: &Condition) -> String {
    if let Condition::Unknown { reason, detail: _ } = condition {
        return format!("unknown {}", reason.word());
    }
    match condition.date() {
        Some(date) => format!("{} {date}", condition.word()),
        None => condition.word().to_owned(),
    }
}
