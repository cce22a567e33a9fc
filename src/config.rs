//! Command line, environment and `snapkey.toml` -> `Config` and `Policy`: the only place that
//! reads the environment. Every problem of the file is reported in one go. Opens nothing but the
//! configuration file, and decides nothing about evidence.

pub mod atlas;
mod section;
mod statements;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::cli;
use crate::error::{Error, ErrorKind};
use crate::model::policy::{GatePolicy, KmipServer};
use crate::model::verdict::{Code, Level};
use crate::model::{AwsRole, KeyId, Policy, Timestamp};

use section::{Problem, Section};

/// The name of the configuration file beside the store.
const FILE_NAME: &str = "snapkey.toml";
/// The store, where neither `--store` nor `SNAPKEY_STORE` names one.
const DEFAULT_STORE: &str = "snapkey.db";
/// The port that IANA gives to KMIP.
const KMIP_PORT: u16 = 5696;

/// Looks up an environment variable.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<OsString>;

/// The environment of this process.
pub fn process_environment(name: &str) -> Option<OsString> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    std::env::var_os(name)
}

/// What a run works with, settled from all that was said.
#[derive(Clone, Debug)]
pub struct Config {
    pub store: StoreAt,
    /// The configuration file that was read; `None`: there is none, everything is at its default.
    pub file: Option<PathBuf>,
    pub policy: Policy,
    /// A private certificate authority, beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// `[[kmip]]`; their names and groups are in the policy too.
    pub kmip: Vec<KmipEndpoint>,
    pub gcp: Gcp,
    /// `role_arn` of `[[key]]`: in which role AWS is asked about a key.
    pub aws_roles: BTreeMap<KeyId, AwsRole>,
    pub collect: Collect,
    /// Seconds that one run of probes may take; `None`: as long as it takes.
    pub probe_deadline: Option<i64>,
    pub as_of: Option<Timestamp>,
    pub offline: bool,
}

/// Where the evidence is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAt {
    /// Nowhere: `:memory:`.
    Memory,
    File(PathBuf),
}

/// `[[kmip]]`: how to reach a key server. Paths are as seen from the working directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmipEndpoint {
    pub name: String,
    pub host: String,
    pub port: u16,
    /// Certificate and key; KMIP knows its clients by nothing else.
    pub client: Option<ClientCertificate>,
    pub ca_file: Option<PathBuf>,
    pub groups: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// `[gcp]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gcp {
    pub endpoint: Option<String>,
    pub projects: Vec<String>,
}

/// `[collect]`: how patiently an inventory is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collect {
    /// Seconds until an attempt without an answer is given up.
    pub timeout: u64,
    /// How often one request is tried.
    pub attempts: u16,
    /// Requests under way at once.
    pub in_flight: u16,
}

impl Default for Collect {
    fn default() -> Self {
        Self {
            timeout: 60,
            attempts: 4,
            in_flight: 8,
        }
    }
}

/// Settles store and configuration file, and reads the latter.
///
/// # Errors
///
/// The file was named and is not there, cannot be read, is no TOML, or holds what cannot be used;
/// the error then names every problem.
pub fn load(global: &cli::Global, environment: Environment<'_>) -> Result<Config, Error> {
    let store = store_at(global, environment);
    let named = global
        .config
        .clone()
        .or_else(|| set_path(environment, "SNAPKEY_CONFIG"));
    let file = match named {
        Some(named) => Some(named),
        None => Some(beside(&store)).filter(|path| {
            // A dangling link is no absent file: its holds would be dropped without a word.
            !matches!(path.symlink_metadata(), Err(error)
                if error.kind() == std::io::ErrorKind::NotFound)
        }),
    };
    let text = match &file {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            Error::new(
                ErrorKind::Config,
                format!("cannot read the configuration `{}`", path.display()),
            )
            .caused_by(&error)
        })?,
    };
    let folder = file
        .as_deref()
        .and_then(Path::parent)
        .unwrap_or(Path::new(""));
    let content = read(&text, folder).map_err(|problems| {
        let at = file.as_deref().unwrap_or(Path::new(FILE_NAME)).display();
        let error = Error::new(
            ErrorKind::Config,
            format!("cannot use the configuration `{at}`"),
        );
        problems.into_iter().fold(error, Error::cause)
    })?;
    Ok(Config {
        store,
        file,
        policy: content.policy,
        ca_file: content.ca_file,
        kmip: content.kmip,
        gcp: content.gcp,
        aws_roles: content.aws_roles,
        collect: content.collect,
        probe_deadline: content.probe_deadline,
        as_of: global.as_of,
        offline: global.offline,
    })
}

/// Reads the file of `gate --policy`, which says `[policy]`, `[[waiver]]` and `rotation_max_age` in
/// place of the configuration, and nothing else.
///
/// # Errors
///
/// As those of [`load`].
pub fn load_policy(path: &Path) -> Result<GatePolicy, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(
            ErrorKind::Config,
            format!("cannot read the policy `{}`", path.display()),
        )
        .caused_by(&error)
    })?;
    sectioned(&text, gate).map_err(|problems| {
        let error = Error::new(
            ErrorKind::Config,
            format!("cannot use the policy `{}`", path.display()),
        );
        problems.into_iter().fold(error, Error::cause)
    })
}

/// Whether tables are colored: as told, else on a terminal that can, unless `NO_COLOR` is set to
/// anything (<https://no-color.org>).
pub fn colored(choice: cli::Color, environment: Environment<'_>, terminal: bool) -> bool {
    match choice {
        cli::Color::Always => true,
        cli::Color::Never => false,
        cli::Color::Auto => {
            let set = |name| environment(name).is_some_and(|value| !value.is_empty());
            let dumb = environment("TERM").is_some_and(|value| value == "dumb");
            terminal && !set("NO_COLOR") && !dumb
        }
    }
}

fn store_at(global: &cli::Global, environment: Environment<'_>) -> StoreAt {
    let path = global
        .store
        .clone()
        .or_else(|| set_path(environment, "SNAPKEY_STORE"))
        .unwrap_or_else(|| PathBuf::from(DEFAULT_STORE));
    if path.as_os_str() == ":memory:" {
        StoreAt::Memory
    } else {
        StoreAt::File(path)
    }
}

/// An environment variable that is set to nothing is not set.
fn set_path(environment: Environment<'_>, name: &str) -> Option<PathBuf> {
    environment(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn beside(store: &StoreAt) -> PathBuf {
    match store {
        StoreAt::Memory => PathBuf::from(FILE_NAME),
        StoreAt::File(path) => path.with_file_name(FILE_NAME),
    }
}

/// What the file alone says.
#[derive(Debug, Default)]
struct Content {
    policy: Policy,
    ca_file: Option<PathBuf>,
    kmip: Vec<KmipEndpoint>,
    gcp: Gcp,
    aws_roles: BTreeMap<KeyId, AwsRole>,
    collect: Collect,
    probe_deadline: Option<i64>,
}

/// Reads the text of a configuration file that stands in `folder`.
fn read(text: &str, folder: &Path) -> Result<Content, Vec<String>> {
    sectioned(text, |top| top_level(top, folder))
}

/// Reads a whole file; what `read` does not take is a problem.
fn sectioned<T>(text: &str, read: impl FnOnce(&mut Section<'_>) -> T) -> Result<T, Vec<String>> {
    let table: Table = toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or(1, |before| before.matches('\n').count() + 1);
        vec![format!("line {line}: {}", error.message())]
    })?;
    let mut problems: Vec<Problem> = Vec::new();
    let mut top = Section::top(table, &mut problems);
    let content = read(&mut top);
    top.finish();
    if problems.is_empty() {
        Ok(content)
    } else {
        Err(problems.iter().map(Problem::to_string).collect())
    }
}

fn top_level(top: &mut Section<'_>, folder: &Path) -> Content {
    let default = Policy::default();
    let kmip = top.tables("kmip", |section| kmip_endpoint(section, folder));
    contradictory_servers(top, &kmip);
    let mut probe_deadline = None;
    let (keys, aws_roles) = statements::keys(top);
    let policy = Policy {
        max_probe_age: top
            .duration("max_probe_age")
            .unwrap_or(default.max_probe_age),
        max_inventory_age: top
            .duration("max_inventory_age")
            .unwrap_or(default.max_inventory_age),
        max_check_age: top
            .duration("max_check_age")
            .unwrap_or(default.max_check_age),
        max_statement_age: top
            .duration("max_statement_age")
            .unwrap_or(default.max_statement_age),
        probe_identity: top
            .table("probe", |probe| {
                probe_deadline = probe.duration("deadline");
                probe.text("identity")
            })
            .flatten(),
        keys,
        projects: statements::projects(top),
        holds: top.tables("hold", statements::hold),
        retired_keys: top.tables("retired_key", statements::retired_key),
        kmip_servers: kmip
            .iter()
            .map(|endpoint| KmipServer {
                name: endpoint.name.clone(),
                groups: endpoint.groups.clone(),
            })
            .collect(),
        gate: gate(top),
    };
    Content {
        policy,
        ca_file: top.text("ca_file").map(|path| folder.join(path)),
        kmip,
        gcp: top
            .table("gcp", |gcp| Gcp {
                endpoint: gcp.text("endpoint"),
                projects: gcp.texts("projects"),
            })
            .unwrap_or_default(),
        aws_roles,
        probe_deadline,
        collect: top.table("collect", collect).unwrap_or_default(),
    }
}

fn collect(section: &mut Section<'_>) -> Collect {
    let default = Collect::default();
    let timeout = section
        .duration("timeout")
        .and_then(|seconds| u64::try_from(seconds).ok());
    if timeout == Some(0) {
        section.problem("timeout", "leaves no time for an answer");
    }
    Collect {
        timeout: timeout.unwrap_or(default.timeout),
        attempts: section
            .number("attempts", 1, 10, "number of attempts")
            .unwrap_or(default.attempts),
        in_flight: section
            .number("in_flight", 1, 64, "number of requests at once")
            .unwrap_or(default.in_flight),
    }
}

/// `[policy]`, `[[waiver]]` and `rotation_max_age`.
fn gate(top: &mut Section<'_>) -> GatePolicy {
    let default = GatePolicy::default();
    let mut of_projects = BTreeMap::new();
    let levels = top.table("policy", |policy| {
        of_projects = policy
            .table("project", |projects| {
                projects.each_table(levels_of_a_project)
            })
            .unwrap_or_default();
        levels(policy)
    });
    GatePolicy {
        levels: levels.unwrap_or_default(),
        of_projects,
        waivers: top.tables("waiver", statements::waiver),
        rotation_max_age: top
            .duration("rotation_max_age")
            .unwrap_or(default.rotation_max_age),
    }
}

/// A level for each finding that shall not have its default.
fn levels(policy: &mut Section<'_>) -> BTreeMap<Code, Level> {
    let mut levels = BTreeMap::new();
    for (word, value) in policy.drain() {
        let code = Code::ALL.iter().find(|code| code.word() == word);
        let level = [Level::Deny, Level::Warn, Level::Allow]
            .into_iter()
            .find(|level| value.as_str() == Some(level.word()));
        match (code, level) {
            (Some(code), Some(level)) => {
                levels.insert(*code, level);
            }
            (None, _) => policy.problem(&word, "is no finding that snapkey makes"),
            (Some(_), None) => policy.problem(&word, not_a_level(&value)),
        }
    }
    levels
}

fn levels_of_a_project(policy: &mut Section<'_>) -> BTreeMap<Code, Level> {
    let levels = levels(policy);
    for code in levels.keys().filter(|code| !code.is_of_projects()) {
        policy.problem(
            code.word(),
            "is about no single project: set it in [policy]",
        );
    }
    levels
}

fn not_a_level(value: &Value) -> String {
    format!("`{value}` is none of \"deny\", \"warn\", \"allow\"")
}

fn kmip_endpoint(section: &mut Section<'_>, folder: &Path) -> Option<KmipEndpoint> {
    let name = section.text("name");
    let host = section.text("host");
    let port = section.port("port").unwrap_or(KMIP_PORT);
    let certificate = section.text("client_cert");
    let key = section.text("client_key");
    let ca_file = section.text("ca_file").map(|path| folder.join(path));
    let groups = section.texts("groups");
    let name = section.required("name", name);
    let host = section.required("host", host);
    let client = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(ClientCertificate {
            certificate: folder.join(certificate),
            key: folder.join(key),
        }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            section.objection("`client_cert` and `client_key` only go together");
            None
        }
    };
    Some(KmipEndpoint {
        name: name?,
        host: host?,
        port,
        client,
        ca_file,
        groups,
    })
}

/// A server name stands in key ids, and a group decides which server a bare UID is on: both must
/// be unambiguous.
fn contradictory_servers(top: &mut Section<'_>, kmip: &[KmipEndpoint]) {
    let mut names = BTreeMap::new();
    let mut groups = BTreeMap::new();
    for endpoint in kmip {
        if names.insert(&endpoint.name, ()).is_some() {
            top.problem(
                "kmip",
                format!("two servers have the name `{}`", endpoint.name),
            );
        }
        for group in &endpoint.groups {
            if let Some(other) = groups.insert(group, &endpoint.name)
                && other != &endpoint.name
            {
                top.problem(
                    "kmip",
                    format!(
                        "the group `{group}` is given to the servers `{other}` and `{}`",
                        endpoint.name
                    ),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
