//! A key service on loopback that takes its time and then says that the key is enabled, and how
//! long `snapkey probe` takes to ask it about many keys.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::measure::run;

/// Keys that `snapkey probe` asks about at the same time, unless told otherwise.
const IN_FLIGHT: u32 = 32;
/// Calls a second that it allows itself in one region.
const PER_SECOND: u32 = 1_000;

const KEYS_PER_PROJECT: u32 = 5;

/// How long something took, and how long it has to take at least.
pub(crate) struct Probed {
    pub(crate) took: Duration,
    pub(crate) least: Duration,
}

/// Asks slowly answered questions: what counts is how many are under way.
pub(crate) fn in_flight(folder: &Path, snapkey: &dyn Fn(&[&str]) -> Command) -> Result<Probed> {
    // 32 at a time are 640 a second: the quota has no say.
    let service = serve(Duration::from_millis(50))?;
    let keys = 60 * IN_FLIGHT;
    let took = ask(folder, snapkey, service, keys)?;
    let least = one_call(service)? * keys / IN_FLIGHT;
    Ok(Probed { took, least })
}

/// Asks quickly answered questions: what counts is the quota.
pub(crate) fn by_quota(folder: &Path, snapkey: &dyn Fn(&[&str]) -> Command) -> Result<Probed> {
    let service = serve(Duration::from_millis(10))?;
    let keys = 4 * PER_SECOND;
    let took = ask(folder, snapkey, service, keys)?;
    let least = Duration::from_secs(1) * keys / PER_SECOND;
    Ok(Probed { took, least })
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

/// Starts a service that goes on for as long as this program.
fn serve(latency: Duration) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream, latency));
        }
    });
    Ok(address)
}

/// Answers one request after the other until the client has gone.
fn answer(stream: TcpStream, latency: Duration) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream.try_clone()?);
    let mut answers = stream;
    loop {
        let (mut length, mut line) = (0_usize, String::new());
        while line != "\r\n" {
            line.clear();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        requests.read_exact(&mut body)?;
        thread::sleep(latency);
        let asked = String::from_utf8(body)?;
        let arn = asked
            .split('"')
            .find(|word| word.starts_with("arn:aws:kms:"));
        let (status, answer) = match arn.map(|arn| (arn, arn.rsplit('/').next())) {
            Some((arn, Some(id))) => (
                200,
                format!(
                    r#"{{"KeyMetadata":{{"AWSAccountId":"111122223333","Arn":"{arn}","KeyId":"{id}","CreationDate":1700000000,"Enabled":true,"KeyState":"Enabled","KeyUsage":"ENCRYPT_DECRYPT","KeySpec":"SYMMETRIC_DEFAULT","KeyManager":"CUSTOMER","MultiRegion":false,"Origin":"AWS_KMS"}}}}"#
                ),
            ),
            // Who asks is not told.
            Some((_, None)) | None => (403, r#"{"__type":"AccessDeniedException"}"#.to_owned()),
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        answers.write_all((head + &answer).as_bytes())?;
    }
}

/// What one call takes a client that does nothing else, on a connection that is open: the median
/// of several.
fn one_call(service: SocketAddr) -> Result<Duration> {
    const CALLS: usize = 21;
    let stream = TcpStream::connect(service)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut requests = stream;
    let body = format!(r#"{{"KeyId":"{}"}}"#, arn(0));
    let request = format!(
        "POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut took = Vec::new();
    for _ in 0..CALLS {
        let started = Instant::now();
        requests.write_all(request.as_bytes())?;
        let (mut length, mut line) = (0_usize, String::new());
        while line != "\r\n" {
            line.clear();
            answers.read_line(&mut line)?;
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        answers.read_exact(&mut vec![0; length])?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    took.get(CALLS / 2).copied().context("no call was made")
}
