//! Against two AWS emulators that others wrote, their keys made by AWS's own client library:
//! ministack, with its signatures and IAM switched on, and moto, a second opinion on the states that
//! it knows and on taking on a role. Run `.ci/real-tools` first; a missing tool is a
//! failure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use serde_json::Value;
use snapkey::model::AwsRole;
use snapkey::probe::aws::AwsProbe;
use snapkey::probe::{Answer, Probes, Target, probe_all};

use crate::support::aws::{at, config_with, key, limits, run, runtime, short};
use crate::support::proxy::Proxy;

/// The emulator, killed when dropped.
pub(crate) struct Emulator {
    child: Child,
    pub(crate) address: SocketAddr,
    home: tempfile::TempDir,
}

impl Emulator {
    pub(crate) fn ministack(tools: &Path) -> Self {
        Self::start(&tools.join("bin/ministack"), |command, port| {
            command
                .env("BIND_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", port.to_string())
                .env("IOT_MTLS_ENABLED", "0")
                .env("SERVICES", "kms,sts,iam")
                .env("AUTH", "true");
        })
    }

    pub(crate) fn moto(tools: &Path) -> Self {
        Self::start(&tools.join("bin/moto_server"), |command, port| {
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        })
    }

    fn start(program: &Path, settle: impl FnOnce(&mut Command, u16)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let log = File::create(home.path().join("log")).unwrap();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        settle(&mut command, address.port());
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; run `.ci/real-tools`", program.display()));
        let mut started = Self {
            child,
            address,
            home,
        };
        started.wait();
        started
    }

    /// Until it listens.
    fn wait(&mut self) {
        let patience = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || Instant::now() > patience {
                let log = std::fs::read_to_string(self.home.path().join("log"));
                panic!("the emulator did not start: {ended:?} {log:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// The keys made in it, and who may look at them.
pub(crate) struct World {
    keys: Value,
    pub(crate) auditor: Credentials,
}

impl World {
    pub(crate) fn make(tools: &Path, ministack: &Emulator) -> Self {
        Self::made_by("aws_world.py", tools, ministack)
    }

    fn made_by(script: &str, tools: &Path, emulator: &Emulator) -> Self {
        let python = tools.join("bin/python");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support");
        let script = folder.join(script);
        let output = Command::new(&python)
            .arg(script)
            .arg(format!("http://{}", emulator.address))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", emulator.home.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}; run `.ci/real-tools`", python.display()));
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self {
            auditor: Credentials::new(text("id"), text("secret"), None, None, "test"),
            keys: made["keys"].clone(),
        }
    }

    pub(crate) fn arn(&self, name: &str) -> String {
        self.keys[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name}"))
            .to_owned()
    }
}

pub(crate) fn tools() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the tools are is a matter of the machine that tests"
    )]
    let told = std::env::var_os("SNAPKEY_REAL_TOOLS");
    match told {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real-tools"),
    }
}

/// Each answer as `KEY CONDITION`, sorted.
fn told(answers: &[Answer]) -> Vec<String> {
    answers
        .iter()
        .map(
            |answer| match (answer.observations.as_slice(), &answer.unresolved) {
                ([one], None) => format!("{} {}", one.key, short(&one.condition)),
                ([], Some((reason, _))) => format!("unresolved {}", reason.word()),
                _ => panic!("{answer:?}"),
            },
        )
        .collect()
}

#[test]
fn ministack_is_read_as_it_stands() {
    let tools = tools();
    let ministack = Emulator::ministack(&tools);
    let world = World::make(&tools, &ministack);
    let proxy = Proxy::start(ministack.address).unwrap();
    let root = || Credentials::new("test", "test", None, None, "test");
    let stranger = || Credentials::new("AKIDSTRANGER", "secret", None, None, "test");
    let forged = || Credentials::new(world.auditor.access_key_id(), "wrong", None, None, "test");
    let auditor = || world.auditor.clone();
    let in_us = |name: &str| world.arn(name).replace("eu-west-1", "us-east-1");
    let foreign = world
        .arn("enabled")
        .replace(":000000000000:", ":999988887777:");
    let bare = |name: &str, region: &str| Target::AwsId {
        id: world.arn(name).rsplit('/').next().unwrap().to_owned(),
        region: region.to_owned(),
    };
    let whole = |arn: &str| Target::Key(key(arn));
    let named = |name: &str| whole(&world.arn(name));
    let says = |name: &str, condition: &str| format!("{} {condition}", world.arn(name));

    let cases: Vec<(&str, Credentials, Target, Vec<String>)> = vec![
        (
            "enabled",
            auditor(),
            named("enabled"),
            vec![says("enabled", "enabled")],
        ),
        (
            "disabled",
            auditor(),
            named("disabled"),
            vec![says("disabled", "disabled")],
        ),
        (
            "cancelled deletion",
            auditor(),
            named("rescued"),
            vec![says("rescued", "disabled")],
        ),
        (
            "no material yet",
            auditor(),
            named("awaiting"),
            vec![says("awaiting", "material-missing")],
        ),
        (
            "imported",
            auditor(),
            named("imported"),
            vec![says("imported", "enabled")],
        ),
        (
            "imported, list not supported",
            root(),
            named("imported"),
            vec![says("imported", "enabled")],
        ),
        (
            "imported until a date",
            auditor(),
            named("expiring"),
            vec![says("expiring", "enabled 2040-01-01T00:00:00Z")],
        ),
        (
            "material deleted",
            auditor(),
            named("emptied"),
            vec![says("emptied", "material-missing")],
        ),
        (
            "multi-Region primary and replica",
            auditor(),
            named("spread"),
            vec![
                says("spread", "enabled"),
                format!("{} enabled", in_us("spread")),
            ],
        ),
        (
            "primary that waits for its replica",
            auditor(),
            named("shrinking"),
            vec![
                says("shrinking", "pending-deletion"),
                format!("{} enabled", in_us("shrinking")),
            ],
        ),
        (
            "missing",
            auditor(),
            named("missing"),
            vec![says("missing", "unknown not-found")],
        ),
        (
            "other region",
            auditor(),
            named("elsewhere"),
            vec![says("elsewhere", "unknown not-found")],
        ),
        (
            "denied",
            auditor(),
            named("denied"),
            vec![says("denied", "unknown access-denied")],
        ),
        (
            "denied to others only",
            root(),
            named("denied"),
            vec![says("denied", "enabled")],
        ),
        (
            "unknown access key",
            stranger(),
            named("enabled"),
            vec![says("enabled", "unknown credentials")],
        ),
        (
            "wrong secret key",
            forged(),
            named("enabled"),
            vec![says("enabled", "unknown credentials")],
        ),
        (
            "bare id",
            auditor(),
            bare("disabled", "eu-west-1"),
            vec![says("disabled", "disabled")],
        ),
        (
            "bare id, other region",
            root(),
            bare("disabled", "us-east-1"),
            vec!["unresolved not-found".to_owned()],
        ),
    ];
    let mut passed = 0;
    for (case, credentials, target, expected) in cases {
        let (answers, _) = run(
            config_with(&proxy.url(), credentials),
            vec![target],
            &limits(),
        );
        assert_eq!(told(&answers), expected, "{case}: {answers:?}");
        passed += 1;
    }

    // Dates that depend on the day, and what is said about the asking.
    let (answers, _) = run(
        config_with(&proxy.url(), auditor()),
        vec![named("deleting")],
        &limits(),
    );
    let observation = &answers[0].observations[0];
    assert!(
        short(&observation.condition).starts_with("pending-deletion 20"),
        "{observation:?}"
    );
    assert_eq!(observation.stale_at, observation.condition.date());
    assert_eq!(
        observation.identity.as_deref(),
        Some("arn:aws:iam::000000000000:user/auditor")
    );
    assert_eq!(observation.endpoint, proxy.url());
    passed += 1;

    // Another account's key must not be answered with this account's.
    let (answers, _) = run(
        config_with(&proxy.url(), root()),
        vec![whole(&foreign)],
        &limits(),
    );
    assert!(
        !answers[0].observations[0].condition.is_definite(),
        "{answers:?}"
    );
    passed += 1;

    let calls = proxy.calls();
    for call in &calls {
        let reads = [
            "TrentService.DescribeKey",
            "TrentService.ListKeyRotations",
            "GetCallerIdentity",
        ];
        assert!(reads.contains(&call.as_str()), "{call}");
    }
    assert!(
        calls
            .iter()
            .any(|call| call == "TrentService.ListKeyRotations")
    );
    assert!(calls.iter().any(|call| call == "GetCallerIdentity"));
    assert_eq!(passed, 20);
    report(passed, calls.len());
}

#[test]
fn moto_is_read_as_it_stands_in_a_role() {
    let tools = tools();
    let moto = Emulator::moto(&tools);
    let world = World::made_by("aws_states.py", &tools, &moto);
    let proxy = Proxy::start(moto.address).unwrap();
    // Its multi-Region keys have ids that no key of AWS has.
    let table: BTreeMap<String, &str> = BTreeMap::from([
        (world.arn("enabled"), "enabled"),
        (world.arn("disabled"), "disabled"),
        (world.arn("deleting"), "pending-deletion"),
        (world.arn("rescued"), "disabled"),
        (world.arn("revived"), "enabled"),
        (world.arn("missing"), "unknown"),
    ]);
    // All but one in the role.
    let role = AwsRole::read(&world.arn("role")).unwrap();
    let plain = world.arn("enabled");
    let in_role = table.keys().filter(|arn| **arn != plain);
    let roles = in_role.map(|arn| (key(arn), role.clone())).collect();
    let targets = table.keys().map(|arn| Target::Key(key(arn))).collect();
    let config = config_with(&proxy.url(), world.auditor.clone());
    let probes = Probes::new(AwsProbe::from_config(config).with_roles(roles));
    let mut told = BTreeMap::new();
    let mut identities = BTreeSet::new();
    let mut keep = |answer: Answer| {
        for observation in answer.observations {
            let arn = observation.key.to_string();
            identities.insert((arn == plain, observation.identity.clone()));
            if observation.condition.word() == "pending-deletion" {
                assert!(observation.condition.date().is_some(), "{observation:?}");
            }
            told.insert(arn, observation.condition.word());
        }
    };
    let never = std::future::pending();
    runtime().block_on(probe_all(
        targets,
        &probes,
        &limits(),
        &at,
        &mut keep,
        never,
    ));
    assert_eq!(told, table);
    let account = role.account();
    let assumed = format!("arn:aws:sts::{account}:assumed-role/snapkey-audit");
    assert!(
        identities.contains(&(false, Some(assumed))),
        "{identities:?}"
    );
    assert_eq!(identities.len(), 2, "{identities:?}");
    let calls = proxy.calls();
    let taken_on = calls.iter().filter(|call| *call == "AssumeRole").count();
    assert_eq!(taken_on, 1, "{calls:?}");
    for call in &calls {
        let reads = [
            "TrentService.DescribeKey",
            "GetCallerIdentity",
            "AssumeRole",
        ];
        assert!(reads.contains(&call.as_str()), "{call}");
    }
    report(table.len(), calls.len());
}

#[expect(
    clippy::print_stderr,
    clippy::disallowed_macros,
    reason = "the count is the evidence"
)]
fn report(cases: usize, calls: usize) {
    eprintln!("real AWS emulator: {cases} cases, {calls} calls, all of them reading");
}
