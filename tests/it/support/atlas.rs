//! A machine that reads the Atlas of a test, with a login and perhaps AWS credentials, and what
//! its bundles and verdicts say.
//!
//! Assumed of the configuration: `[collect] timeout` (a text like `"2s"`) bounds one request,
//! `[collect] attempts` says how often a request is made before it counts as failed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::cmd::{Place, Ran, ran};
use super::evidence::read;
use crate::emulator::atlas::{API_KEY, Atlas, SERVICE_ACCOUNT};
use crate::emulator::aws::Aws;

/// Which of its two logins a machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    ServiceAccount,
    ApiKey,
}

/// A folder, a configuration and an environment.
pub(crate) struct Machine {
    pub(crate) place: Place,
    environment: BTreeMap<&'static str, String>,
}

impl Machine {
    /// Without any credentials.
    pub(crate) fn bare() -> Self {
        let place = Place::new();
        let settings = settings(Duration::from_secs(20), 3);
        place.write("snapkey.toml", &settings);
        Self {
            place,
            environment: BTreeMap::new(),
        }
    }

    pub(crate) fn of(atlas: &Atlas, login: Login) -> Self {
        let mut machine = Self::bare();
        machine.set("MONGODB_ATLAS_BASE_URL", &atlas.url());
        let (names, values) = match login {
            Login::ServiceAccount => (
                ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"],
                SERVICE_ACCOUNT,
            ),
            Login::ApiKey => (
                [
                    "MONGODB_ATLAS_PUBLIC_API_KEY",
                    "MONGODB_ATLAS_PRIVATE_API_KEY",
                ],
                API_KEY,
            ),
        };
        machine.set(names[0], values.0);
        machine.set(names[1], values.1);
        machine
    }

    /// May ask this key service, too.
    pub(crate) fn with_aws(mut self, kms: &Aws) -> Self {
        self.set("AWS_ACCESS_KEY_ID", "AKIDTEST");
        self.set("AWS_SECRET_ACCESS_KEY", super::aws::SECRET);
        self.set("AWS_MAX_ATTEMPTS", "1");
        self.set("AWS_ENDPOINT_URL_KMS", &kms.url());
        self.set("AWS_ENDPOINT_URL_STS", &format!("{}/sts", kms.url()));
        self
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.environment.insert(name, value.to_owned());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.place.command();
        command.args(words).envs(&self.environment);
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        ran(self.command(words).output().unwrap())
    }

    /// Runs with `--format json` and reads the document.
    pub(crate) fn json(&self, words: &[&str]) -> (i32, Value) {
        let ran = self.run(&[&["--format", "json"], words].concat());
        let document = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("{words:?}: {error}\n{}{}", ran.stdout, ran.stderr));
        (ran.code, document)
    }

    /// `collect atlas --out NAME` with further words.
    pub(crate) fn collect(&self, name: &str, more: &[&str]) -> Ran {
        self.run(&[&["collect", "atlas", "--out", name], more].concat())
    }

    /// Collects, ingests and demands that nothing was missing.
    pub(crate) fn take_in(&self, name: &str) {
        let ran = self.collect(name, &[]);
        assert_eq!(ran.code, 0, "collect {name}: {}", ran.stderr);
        self.ingest(name, 0);
    }

    /// Takes in what was collected just now as if it had been so long ago.
    pub(crate) fn take_in_of(&self, name: &str, ago: TimeDelta) {
        let ran = self.collect(name, &[]);
        assert_eq!(ran.code, 0, "collect {name}: {}", ran.stderr);
        self.age(name, ago);
        self.ingest(name, 0);
    }

    pub(crate) fn ingest(&self, name: &str, code: i32) {
        let ran = self.run(&["ingest", name]);
        assert_eq!(ran.code, code, "ingest {name}: {}", ran.stderr);
    }

    /// `check KEY --no-probe` with its exit code.
    pub(crate) fn check(&self, key: &str) -> Checked {
        self.check_with(key, &["--no-probe"])
    }

    pub(crate) fn check_with(&self, key: &str, more: &[&str]) -> Checked {
        let (code, document) = self.json(&[&["check", key], more].concat());
        assert_eq!(document["exit_code"], code, "{document}");
        Checked { code, document }
    }

    pub(crate) fn manifest(&self, name: &str) -> Value {
        read(&self.path(name).join("manifest.json"))
    }

    /// Moves everything that a bundle says it was answered into the past.
    pub(crate) fn age(&self, name: &str, by: TimeDelta) {
        let path = self.path(name).join("manifest.json");
        let mut manifest = read(&path);
        for request in manifest["requests"].as_array_mut().unwrap() {
            for field in ["at", "local_at"] {
                if let Some(at) = request[field].as_str() {
                    let at = DateTime::parse_from_rfc3339(at).unwrap().to_utc();
                    request[field] = stamp(at - by).into();
                }
            }
        }
        std::fs::write(path, manifest.to_string()).unwrap();
    }
}

/// What `check` said of one key.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) code: i32,
    pub(crate) document: Value,
}

impl Checked {
    /// `VERDICT EXIT`.
    pub(crate) fn said(&self) -> String {
        let verdict = self.document["verdict"].as_str().unwrap();
        format!("{verdict} {}", self.code)
    }

    /// Kinds, sorted, each once.
    pub(crate) fn kinds(&self, list: &str) -> Vec<&str> {
        let rows = self.document[list].as_array().unwrap().iter();
        let mut kinds: Vec<&str> = rows.map(|row| row["kind"].as_str().unwrap()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// `KIND CLUSTER ID UNTIL` of every dependant, with `-` for what is not said.
    pub(crate) fn dependants(&self) -> Vec<String> {
        let rows = self.document["dependants"].as_array().unwrap().iter();
        let word = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
        let fields = ["kind", "cluster", "id", "until"];
        rows.map(|row| fields.map(|name| word(row, name)).join(" "))
            .collect()
    }
}

/// A configuration in which a request is given up after so long, and made so often.
pub(crate) fn settings(timeout: Duration, attempts: u32) -> String {
    let seconds = timeout.as_secs();
    format!("[collect]\ntimeout = \"{seconds}s\"\nattempts = {attempts}\n")
}

/// Waits for the clock's next second: what is read then is newer than what was read before.
pub(crate) fn next_second() {
    let second = now().timestamp();
    while now().timestamp() == second {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is collected now is judged now"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

pub(crate) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// So many hours ago, or ahead if negative, on the whole second.
pub(crate) fn hours_ago(hours: i64) -> String {
    stamp(now() - TimeDelta::hours(hours))
}

/// `key` was asked about just now and is enabled.
pub(crate) fn enabled(keys: &[&str]) -> String {
    let at = stamp(now());
    keys.iter()
        .map(|key| json!({"key": key, "condition": "enabled", "at": at}).to_string() + "\n")
        .collect()
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
