//! Probing Google Cloud KMS through the library, with settings that a test makes itself.

use std::time::Duration;

use snapkey::model::KeyId;
use snapkey::model::evidence::Observation;
use snapkey::probe::Limits;
use snapkey::probe::gcp::GcpProbe;

use super::aws::{at, limits, runtime, short};

/// A key in the emulator.
pub(crate) fn name(number: u32) -> String {
    format!("projects/payments/locations/europe-west3/keyRings/atlas/cryptoKeys/backup-{number}")
}

pub(crate) fn version(key: u32, version: u64) -> KeyId {
    let text = format!("{}/cryptoKeyVersions/{version}", name(key));
    text.parse().unwrap()
}

/// Without quota, and without waiting between attempts.
pub(crate) fn probe(url: &str) -> GcpProbe {
    GcpProbe::new(url.parse().unwrap())
        .with_reads_a_minute(None)
        .with_first_pause(Duration::from_millis(1))
}

/// Asks about every key, and gives the answers by key.
pub(crate) fn ask(probe: &GcpProbe, keys: &[KeyId], limits: &Limits) -> Vec<Observation> {
    let mut told = runtime().block_on(probe.probe_each(keys, limits, &at));
    told.sort_by(|a, b| a.key.cmp(&b.key));
    told
}

/// The one observation of one version.
pub(crate) fn observe(url: &str, key: &KeyId) -> Observation {
    observe_within(url, key, &limits())
}

pub(crate) fn observe_within(url: &str, key: &KeyId, limits: &Limits) -> Observation {
    let mut told = ask(&probe(url), std::slice::from_ref(key), limits);
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0)
}

/// `VERSION word`, for each.
pub(crate) fn told(observations: &[Observation]) -> Vec<String> {
    let tell = |observation: &Observation| {
        let key = observation.key.to_string();
        let number = key.rsplit('/').next().unwrap_or_default();
        format!("{number} {}", short(&observation.condition))
    };
    observations.iter().map(tell).collect()
}
