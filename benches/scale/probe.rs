//! How long `snapkey probe` takes to ask a key service about many keys, of each of which it says
//! after a while that it is enabled; and how many the library asks about when it may have more or
//! fewer questions under way than the command has.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use snapkey::model::{Observation, Timestamp};
use snapkey::probe::aws::AwsProbe;
use snapkey::probe::{Limits, Probes, Target, probe_all};

use crate::measure::run;
use crate::service::{Answer, Asked, Request, one_call, serve};

/// Keys that `snapkey probe` asks about at the same time, unless told otherwise.
const IN_FLIGHT: u32 = 32;
/// Calls a second that it allows itself in one region.
const PER_SECOND: u32 = 1_000;

const KEYS_PER_PROJECT: u32 = 5;

/// Asks slowly answered questions: what counts is how many are under way.
pub(crate) fn in_flight(folder: &Path, snapkey: &dyn Fn(&[&str]) -> Command) -> Result<Asked> {
    // 32 at a time are 640 a second: the quota has no say.
    let service = serve(Duration::from_millis(50), answer)?;
    let keys = 60 * IN_FLIGHT;
    let took = ask(folder, snapkey, service, keys)?;
    let least = one_call(service, "POST / HTTP/1.1", &question(0))? * keys / IN_FLIGHT;
    Ok(Asked { took, least })
}

/// Asks quickly answered questions: what counts is the quota.
pub(crate) fn by_quota(folder: &Path, snapkey: &dyn Fn(&[&str]) -> Command) -> Result<Asked> {
    let service = serve(Duration::from_millis(10), answer)?;
    let keys = 4 * PER_SECOND;
    let took = ask(folder, snapkey, service, keys)?;
    let least = Duration::from_secs(1) * keys / PER_SECOND;
    Ok(Asked { took, least })
}

/// What so many questions under way came to.
pub(crate) struct Many {
    pub(crate) probes: f64,
    pub(crate) took: Duration,
    /// Processor time of the asking process alone, its start included.
    pub(crate) busy: Duration,
    pub(crate) least: Duration,
}

/// Asks without a quota, in a process of its own (`this` program), for some four seconds.
pub(crate) fn many(this: &Path, in_flight: u32) -> Result<Many> {
    let service = serve(Duration::from_millis(20), answer)?;
    // More are more than two processors can ask about in the time.
    let keys = 200 * in_flight.min(128);
    let mut client = Command::new(this);
    client
        .arg("probe-client")
        .args([service.to_string(), keys.to_string(), in_flight.to_string()]);
    let asked = run(&mut client, &[0])?;
    Ok(Many {
        probes: f64::from(keys),
        took: asked.took,
        busy: asked.busy,
        least: one_call(service, "POST / HTTP/1.1", &question(0))? * keys / in_flight,
    })
}

/// The process that asks; an error if a key got no answer.
pub(crate) fn client(service: SocketAddr, keys: u32, in_flight: usize) -> Result<()> {
    let config = SdkConfig::builder()
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://{service}"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "AKIDBENCH",
            "none",
            None,
            None,
            "bench",
        )))
        .build();
    let probes = Probes::new(AwsProbe::from_config(config));
    let targets = (0..keys)
        .map(|no| Ok(Target::Key(arn(no).parse()?)))
        .collect::<Result<_>>()?;
    let limits = Limits {
        in_flight: NonZeroUsize::new(in_flight).context("nothing under way")?,
        per_second: None,
        ..Limits::default()
    };
    let at = Timestamp::floor("2026-11-01T00:00:00Z")?;
    let mut settled = 0;
    let mut count = |answer: snapkey::probe::Answer| {
        let definite = |o: &Observation| o.condition.is_definite();
        settled += answer.observations.iter().filter(|o| definite(o)).count();
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let never = std::future::pending();
    let clock = || at;
    runtime.block_on(probe_all(
        targets, &probes, &limits, &clock, &mut count, never,
    ));
    anyhow::ensure!(
        settled == usize::try_from(keys)?,
        "{settled} of {keys} keys got an answer"
    );
    Ok(())
}

/// One run of `snapkey probe` over a new store that names so many keys.
fn ask(
    folder: &Path,
    snapkey: &dyn Fn(&[&str]) -> Command,
    service: SocketAddr,
    keys: u32,
) -> Result<Duration> {
    let folder = tempfile::tempdir_in(folder)?;
    let inventory = folder.path().join("inventory.ndjson");
    let mut lines = String::new();
    for no in 0..keys {
        writeln!(
            lines,
            r#"{{"kind":"snapshot","system":"bench","project":"p{}","cluster":"c","id":"s{no}","status":"completed","created_at":"2026-01-01T00:00:00Z","keys":["{}"],"at":"2026-01-15T02:00:00Z"}}"#,
            no / KEYS_PER_PROJECT,
            arn(no)
        )?;
    }
    fs::write(&inventory, lines)?;
    let store = folder.path().join("probe.db");
    let mut ingest = snapkey(&["ingest", "-q"]);
    run(ingest.arg("--store").arg(&store).arg(&inventory), &[0])?;
    let mut probe = snapkey(&["probe", "-q", "--refresh"]);
    probe
        .arg("--store")
        .arg(&store)
        .env("AWS_ACCESS_KEY_ID", "AKIDBENCH")
        .env("AWS_SECRET_ACCESS_KEY", "none")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", format!("http://{service}"));
    // Any other code says that a key got no answer.
    Ok(run(&mut probe, &[0])?.took)
}

fn arn(no: u32) -> String {
    format!("arn:aws:kms:us-east-1:111122223333:key/{no:08x}-0000-4000-8000-000000000000")
}

fn question(no: u32) -> String {
    format!(r#"{{"KeyId":"{}"}}"#, arn(no))
}

fn answer(request: &Request) -> Answer {
    let arn = request
        .body
        .split('"')
        .find(|word| word.starts_with("arn:aws:kms:"));
    let (status, body) = match arn.map(|arn| (arn, arn.rsplit('/').next())) {
        Some((arn, Some(id))) => (
            200,
            format!(
                r#"{{"KeyMetadata":{{"AWSAccountId":"111122223333","Arn":"{arn}","KeyId":"{id}","CreationDate":1700000000,"Enabled":true,"KeyState":"Enabled","KeyUsage":"ENCRYPT_DECRYPT","KeySpec":"SYMMETRIC_DEFAULT","KeyManager":"CUSTOMER","MultiRegion":false,"Origin":"AWS_KMS"}}}}"#
            ),
        ),
        // Who asks is not told.
        Some((_, None)) | None => (403, r#"{"__type":"AccessDeniedException"}"#.to_owned()),
    };
    (status, "application/x-amz-json-1.1", body)
}
