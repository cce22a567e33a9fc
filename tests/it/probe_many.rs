//! Ten thousand keys of three providers in one run: each is answered, no quota is overdrawn, the
//! smallest provider does not wait for the one with most calls, and a deadline keeps what was learned.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::{Duration, Instant};

use serde_json::json;
use snapkey::model::Provider;
use snapkey::probe::aws::AwsProbe;
use snapkey::probe::{Answer, Limits, Probes, Stopped, Summary, Target, probe_all};

use crate::emulator::aws::{Aws, Key as AwsKey};
use crate::emulator::azure::{Azure, Key, Version};
use crate::emulator::gcp::{GET_KEY, Gcp, Key as GcpKey, LIST};
use crate::support::aws::{arn, at, config, runtime};
use crate::support::azure::{AT_ONCE, https, probes as azure_probes, target, version};
use crate::support::gcp;

const REGIONS: u32 = 2;
const AWS_KEYS: u32 = 3_000;
const VAULTS: [&str; 3] = ["payments", "orders", "slow"];
const AZURE_KEYS: usize = 110;
const AZURE_VERSIONS: usize = 50;
const GCP_KEYS: u32 = 30;
const GCP_VERSIONS: u64 = 50;

/// Calls a second in each region of AWS.
const PER_SECOND: u32 = 150;
/// What may be sent before the spacing starts.
const BURST: u32 = 32;
/// Calls a second in each vault.
const PER_VAULT: u32 = 50;
const READS_A_MINUTE: u32 = 1_200;

/// One of `AWS_KEYS`, in its region.
fn aws_key(number: u32) -> String {
    match number % REGIONS {
        0 => arn(number),
        _ => arn(number).replace("eu-west-1", "us-east-1"),
    }
}

fn azure_key(number: usize) -> String {
    let vault = VAULTS[number % VAULTS.len()];
    format!("https://{vault}.vault.azure.net/keys/k{number}")
}

struct World {
    kms: Aws,
    azure: Azure,
    gcp: Gcp,
    keys: Vec<Target>,
}

impl World {
    fn new() -> Self {
        let (kms, azure, gcp) = (Aws::start(), Azure::start(), Gcp::start());
        let mut keys = Vec::new();
        for number in 0..AWS_KEYS {
            let name = aws_key(number);
            kms.put(&name, AwsKey::in_state("Enabled"));
            keys.push(Target::Key(name.parse().unwrap()));
        }
        for number in 0..AZURE_KEYS {
            // One of the versions is enabled, so that it is looked at too.
            let versions = (1..=AZURE_VERSIONS)
                .map(|one| Version::new(&version(one), json!({"enabled": one == 1}), json!({})));
            let name = azure_key(number);
            azure.put(&name, Key::of(versions.collect()));
            let wanted =
                (1..=AZURE_VERSIONS).map(|one| target(&format!("{name}/{}", version(one))));
            keys.extend(wanted);
        }
        for number in 0..GCP_KEYS {
            let states = (1..=GCP_VERSIONS).map(|one| match one {
                1 => json!({"state": "ENABLED"}),
                _ => json!({"state": "DISABLED"}),
            });
            gcp.put(&gcp::name(number), GcpKey::new(states));
            keys.extend((1..=GCP_VERSIONS).map(|one| Target::Key(gcp::version(number, one))));
        }
        Self {
            kms,
            azure,
            gcp,
            keys,
        }
    }

    /// Asks about everything; when each provider's last answer came, and how many there were.
    fn ask(&self, deadline: Option<Duration>) -> (BTreeMap<Provider, (Duration, usize)>, Summary) {
        let mut probes: Probes = azure_probes(https(&self.azure), AT_ONCE);
        probes.aws = AwsProbe::from_config(config(&self.kms.url()));
        let gcp = gcp::probe(&self.gcp.url());
        probes.gcp = Some(gcp.with_reads_a_minute(NonZeroU32::new(READS_A_MINUTE)));
        let limits = Limits {
            in_flight: NonZeroUsize::new(32).unwrap(),
            per_second: NonZeroU32::new(PER_SECOND),
            deadline,
            call: Duration::from_secs(60),
        };
        let mut came: BTreeMap<Provider, (Duration, usize)> = BTreeMap::new();
        let started = Instant::now();
        let mut on_answer = |answer: Answer| {
            let definite = answer
                .observations
                .iter()
                .all(|o| o.condition.is_definite());
            assert!(definite && !answer.observations.is_empty(), "{answer:?}");
            let (last, count) = came.entry(answer.target.provider()).or_default();
            (*last, *count) = (started.elapsed(), *count + 1);
        };
        let never = std::future::pending();
        let asked = self.keys.clone();
        let summary = runtime().block_on(probe_all(
            asked,
            &probes,
            &limits,
            &at,
            &mut on_answer,
            never,
        ));
        (came, summary)
    }
}

/// How long so many calls take at least, those of the burst left out.
fn least(calls: u32, per_second: u32) -> Duration {
    Duration::from_secs(calls.saturating_sub(BURST).into()) / per_second
}

#[test]
fn ten_thousand_keys_are_answered_within_every_quota() {
    let world = World::new();
    assert_eq!(world.keys.len(), 10_000);

    let (came, summary) = world.ask(None);
    assert_eq!(summary.stopped, None);
    assert_eq!((summary.answered, summary.not_asked.len()), (10_000, 0));
    let counts: Vec<usize> = came.values().map(|(_, count)| *count).collect();
    assert_eq!(counts, [3_000, 5_500, 1_500]);
    // Once each: versions of a key come together.
    assert_eq!(world.kms.count("TrentService.DescribeKey"), 3_000);
    assert_eq!(world.gcp.count(LIST) + world.gcp.count(GET_KEY), 2 * 30);
    // A lower bound of time is an upper one of the rate.
    let took = |provider| came[&provider].0;
    let [aws, azure, google] = [Provider::Aws, Provider::Azure, Provider::Gcp].map(took);
    let aws_at_least = least(AWS_KEYS / REGIONS, PER_SECOND);
    assert!(aws >= aws_at_least, "{aws:?}");
    // Two pages and one version of each key.
    let of_a_vault = u32::try_from(3 * AZURE_KEYS / VAULTS.len()).unwrap();
    assert!(azure >= least(of_a_vault, PER_VAULT), "{azure:?}");
    let reads = least(2 * GCP_KEYS, READS_A_MINUTE / 60);
    assert!(google >= reads, "{google:?}");
    // Each has its own places: the smallest is long done when the one with most calls is.
    assert!(google < aws && azure < aws, "{came:?}");
    told(&came);

    // Out of time: what was learned is handed on, the rest is listed, nothing is lost. The time is
    // less than the quota alone takes.
    let (came, summary) = world.ask(Some(aws_at_least / 2));
    assert_eq!(summary.stopped, Some(Stopped::Deadline));
    let answered: usize = came.values().map(|(_, count)| count).sum();
    assert_eq!(answered, summary.answered);
    assert!(answered > 0 && answered < 10_000, "{answered}");
    assert_eq!(answered + summary.not_asked.len(), 10_000);
}

#[expect(
    clippy::print_stderr,
    clippy::disallowed_macros,
    clippy::use_debug,
    reason = "how long each took tells a slow machine from a starved provider"
)]
fn told(came: &BTreeMap<Provider, (Duration, usize)>) {
    eprintln!("last answers: {came:?}");
}
