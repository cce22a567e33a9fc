//! Against Google's own definitions of Cloud KMS: its messages as the service's answers, with every
//! state that its enum has; and its client as a judge of the emulator here. No independent server
//! of Cloud KMS is to be had from a registry. Run `.ci/real-tools` first; a missing tool is a
//! failure.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use snapkey::model::KeyId;

use crate::conformance_gcp::{errors, states};
use crate::emulator::gcp::{Fault, GET_KEY, Gcp, Key, LIST};
use crate::real_aws::tools;
use crate::support::aws::{limits, short};
use crate::support::gcp::{ask, name, probe};
use crate::support::proxy::Proxy;

const RING: &str = "projects/payments/locations/europe-west3/keyRings/r/cryptoKeys";

fn python(words: &[&str]) -> Command {
    let program = tools().join("bin/python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/gcp_google.py");
    let mut command = Command::new(program);
    command
        .arg(script)
        .args(words)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONWARNINGS", "ignore")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

fn start(mut command: Command) -> Child {
    command.spawn().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; run `.ci/real-tools`");
    })
}

/// The server, killed when dropped.
struct Google {
    child: Child,
    address: SocketAddr,
    keys: Vec<String>,
}

impl Google {
    fn start() -> Self {
        let mut child = start(python(&["serve"]));
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("Google's messages are not served: {error}: {line}"));
        let port = u16::try_from(told["port"].as_u64().unwrap()).unwrap();
        Self {
            child,
            address: (Ipv4Addr::LOCALHOST, port).into(),
            keys: serde_json::from_value(told["keys"].clone()).unwrap(),
        }
    }
}

impl Drop for Google {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[test]
fn googles_own_messages_are_read_as_they_stand() {
    let table = BTreeMap::from([
        (
            "state-CRYPTO_KEY_VERSION_STATE_UNSPECIFIED",
            "unknown malformed",
        ),
        ("state-PENDING_GENERATION", "transient"),
        ("state-ENABLED", "enabled"),
        ("state-DISABLED", "disabled"),
        ("state-DESTROYED", "destroyed"),
        ("state-DESTROY_SCHEDULED", "pending-deletion"),
        ("state-PENDING_IMPORT", "transient"),
        ("state-IMPORT_FAILED", "unknown unsupported"),
        ("state-GENERATION_FAILED", "unknown unsupported"),
        ("state-PENDING_EXTERNAL_DESTRUCTION", "destroyed"),
        ("state-EXTERNAL_DESTRUCTION_FAILED", "destroyed"),
        ("level-PROTECTION_LEVEL_UNSPECIFIED", "unknown malformed"),
        ("level-SOFTWARE", "enabled"),
        ("level-HSM", "enabled"),
        ("level-EXTERNAL", "unknown backing-key-unverified"),
        ("level-EXTERNAL_VPC", "unknown backing-key-unverified"),
        ("level-HSM_SINGLE_TENANT", "unknown backing-key-unverified"),
        ("dated", "pending-deletion 2096-10-02T07:06:40Z"),
        ("importable", "material-missing"),
        ("deny-all", "disabled"),
        ("justified", "enabled"),
        ("unjustified", "unknown unsupported"),
        ("signing", "unknown unsupported"),
        ("nowhere", "unknown not-found"),
        ("hidden", "unknown access-denied"),
        ("switched-off", "unknown wrong-scope"),
    ]);
    let google = Google::start();
    let proxy = Proxy::start(google.address).unwrap();
    let short_name = |name: &str| name.rsplit('/').next().unwrap().to_owned();
    // A state or level that Google has added since belongs into the table.
    for key in &google.keys {
        assert!(table.contains_key(short_name(key).as_str()), "{key} is new");
    }
    let keys: Vec<KeyId> = table
        .keys()
        .map(|name| {
            format!("{RING}/{name}/cryptoKeyVersions/1")
                .parse()
                .unwrap()
        })
        .collect();
    let told: BTreeMap<String, String> = ask(&probe(&proxy.url()), &keys, &limits())
        .iter()
        .map(|read| {
            let key = read.key.to_string();
            let key = key.trim_end_matches("/cryptoKeyVersions/1");
            (short_name(key), short(&read.condition))
        })
        .collect();
    let table: BTreeMap<String, String> = table
        .into_iter()
        .map(|(name, word)| (name.to_owned(), word.to_owned()))
        .collect();
    assert_eq!(told, table);

    let calls = proxy.calls();
    // A list for each key, and the key itself or a single version for some.
    assert!(calls.len() > table.len(), "{calls:?}");
    for call in &calls {
        assert!(call.starts_with("GET /v1/projects/"), "{call}");
    }
    report(table.len(), calls.len());
}

/// What Google's client must make of a row: a name of the API, or a number that it does not know.
fn understood_of(row: &Value, key: &Value) -> String {
    let word = |value: &Value, default: &str| match value.as_str() {
        Some(word) => word.to_owned(),
        None if value.is_null() => default.to_owned(),
        None => value.to_string(),
    };
    let state = word(&row["state"], "ENABLED");
    let purpose = word(&key["purpose"], "ENCRYPT_DECRYPT");
    format!("{state} {purpose}")
}

#[test]
fn googles_own_client_understands_the_emulator() {
    let kms = Gcp::start();
    let mut expected = BTreeMap::new();
    let mut numbers = 1..;
    let readable = states()
        .into_iter()
        .filter(|(row, _, _, told)| !told.ends_with("malformed") && *row != "a word nobody knows");
    for (row, shown, key, _) in readable {
        let name = name(numbers.next().unwrap());
        expected.insert(name.clone(), (row, understood_of(&shown, &key)));
        // Its own name instead of the one that the row gives.
        let mut shown = shown;
        shown.as_object_mut().unwrap().remove("name");
        kms.put(&name, Key::new([shown]).with(key));
    }
    for (row, fault, _) in errors() {
        let Fault::Error {
            status, details, ..
        } = &fault
        else {
            continue;
        };
        // Then Google's client looks for another token, and nobody has one.
        if *status == 401 {
            continue;
        }
        let reason = details.iter().find_map(|detail| detail["reason"].as_str());
        let told = format!("{status} {}", reason.unwrap_or("-"));
        let name = name(numbers.next().unwrap());
        expected.insert(name.clone(), (row, told));
        let failing = Key::in_state("ENABLED").failing(LIST, fault.clone());
        kms.put(&name, failing.failing(GET_KEY, fault));
    }
    let mut child = start(python(&["ask", &kms.url()]));
    let names: Vec<&String> = expected.keys().collect();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(serde_json::to_string(&names).unwrap().as_bytes())
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let understood: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();
    for (name, (row, expected)) in &expected {
        assert_eq!(understood.get(name), Some(expected), "{row}");
    }
    assert!(expected.len() > 50, "{}", expected.len());
}

#[expect(
    clippy::print_stderr,
    clippy::disallowed_macros,
    reason = "the count is the evidence"
)]
fn report(cases: usize, calls: usize) {
    eprintln!("Google's messages: {cases} cases, {calls} calls, all of them reading");
}
