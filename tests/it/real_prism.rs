//! Against a server that others wrote (Prism), which holds every request to the published
//! description of the Atlas Administration API and invents answers from it. Run `.ci/real-tools`
//! first. The description is `$SNAPKEY_OPENAPI`, or lies beside the repository; a missing one, like
//! a missing tool, is a failure.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::emulator::atlas::SERVICE_ACCOUNT;
use crate::real_aws::tools;
use crate::support::atlas::Machine;
use crate::support::cmd::repository;

/// The server, killed when dropped.
struct Prism {
    child: Child,
    address: SocketAddr,
    home: tempfile::TempDir,
}

impl Prism {
    /// With further options of its `mock` command.
    fn start(description: &Path, more: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let log = File::create(home.path().join("log")).unwrap();
        let program = tools().join("node_modules/.bin/prism");
        let child = Command::new(&program)
            .args(["mock", "-h", "127.0.0.1", "-p"])
            .arg(address.port().to_string())
            .args(more)
            .arg(description)
            .env("HOME", home.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; run `.ci/real-tools`", program.display()));
        Self {
            child,
            address,
            home,
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    /// Until it listens: it first reads the whole description.
    fn wait(&mut self) {
        let patience = Instant::now() + Duration::from_secs(180);
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || Instant::now() > patience {
                panic!("Prism did not start: {ended:?}\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn description() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the description is is a matter of the machine that tests"
    )]
    let told = std::env::var_os("SNAPKEY_OPENAPI");
    let file = told.map_or_else(
        || repository().join("../shared/openapi/atlas-backup.yaml"),
        PathBuf::from,
    );
    assert!(
        file.is_file(),
        "no description of the Atlas API at {}; name one with SNAPKEY_OPENAPI",
        file.display()
    );
    file
}

/// What a whole inventory asks for, by how the path ends.
const ASKED: [&str; 8] = [
    "/groups",
    "/encryptionAtRest",
    "/clusters",
    "/backup/snapshots",
    "/backup/schedule",
    "/backup/restoreJobs",
    "/backupCompliancePolicy",
    "/events",
];

/// The description declares an event type to be an object that is one of some texts, which no value
/// can be: Prism refuses every `eventType`.
fn is_refused_for_nothing(path: &str, status: &Value) -> bool {
    *status == 400 && path.contains("/events?") && path.contains("eventType=")
}

fn collects(prism: &Prism, name: &str) -> usize {
    let mut machine = Machine::bare();
    machine.set(
        "MONGODB_ATLAS_BASE_URL",
        &format!("http://{}", prism.address),
    );
    machine.set("MONGODB_ATLAS_CLIENT_ID", SERVICE_ACCOUNT.0);
    machine.set("MONGODB_ATLAS_CLIENT_SECRET", SERVICE_ACCOUNT.1);
    let collected = machine.collect("bundle", &[]);
    let told = format!("{name}: {}\n{}", collected.stderr, prism.log());
    assert!([0, 3].contains(&collected.code), "{told}");
    let manifest = machine.manifest("bundle");
    let requests = manifest["requests"].as_array().unwrap();
    for request in requests {
        let path = request["path"].as_str().unwrap();
        let status = &request["status"];
        assert!(
            *status == 200 || is_refused_for_nothing(path, status),
            "{request}\n{told}"
        );
    }
    for end in ASKED {
        let asked = requests.iter().any(|request| {
            let path = request["path"].as_str().unwrap();
            path.split('?').next().unwrap().ends_with(end)
        });
        assert!(asked, "{end} was not asked for\n{told}");
    }
    for line in prism
        .log()
        .lines()
        .filter(|line| line.contains("Violation: request"))
    {
        assert!(
            line.contains("request.query.eventtype.") && line.ends_with("must be object"),
            "{name}: {line}"
        );
    }
    // What it invents is read or refused.
    let audited = machine.run(&["--store", ":memory:", "audit", "bundle", "--no-probe"]);
    assert!(
        [0, 1, 3].contains(&audited.code),
        "{name}: {}",
        audited.stderr
    );
    machine.ingest("bundle", collected.code);
    requests.len()
}

#[test]
fn prism_accepts_every_request() {
    let description = description();
    let text = std::fs::read_to_string(&description).unwrap();
    for event in [
        "AWS_ENCRYPTION_KEY_ROTATED",
        "AZURE_ENCRYPTION_KEY_ROTATED",
        "GCP_ENCRYPTION_KEY_ROTATED",
        "ENCRYPTION_AT_REST_CONFIGURATION_UPDATED",
    ] {
        assert!(text.contains(&format!("- {event}\n")), "no event {event}");
    }
    let modes: [(&str, &[&str]); 2] = [("examples", &[]), ("invented", &["--ignoreExamples"])];
    let mut running = modes.map(|(name, more)| (name, Prism::start(&description, more)));
    let mut requests = 0;
    for (name, prism) in &mut running {
        prism.wait();
        requests += collects(prism, name);
    }
    report(requests);
}

#[expect(
    clippy::print_stderr,
    clippy::disallowed_macros,
    reason = "the count is the evidence"
)]
fn report(requests: usize) {
    eprintln!("Prism: {requests} requests, none against the API's description");
}
