//! The command line: what was typed, and whether the words fit together. Owns no default that
//! needs the world (environment, clock, terminal): those are settled in `config` and `run`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::model::Timestamp;
use crate::model::time::TimeError;
use crate::model::verdict::{Deletability, Intent, Restorability};

/// What `--version` prints after the name. The numbers are those of `store` and `report`, which
/// this layer may not name; an integration test compares them.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (store schema 1, JSON schema 1)"
);

/// Tell which MongoDB backup snapshots can be restored, and which encryption keys may be deleted.
///
/// snapkey only ever reads: it never changes a backup, a project or a key.
#[derive(Debug, Parser)]
#[command(
    name = "snapkey",
    version = VERSION,
    max_term_width = 100,
    after_help = "Exit codes: 0 passed; 1 a definite no; 2 usage or configuration; \
                  3 undecided; 4 the run itself failed."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes, before or after its name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Keep the evidence in this file; `:memory:` keeps nothing
    /// [env: SNAPKEY_STORE] [default: snapkey.db]
    #[arg(long, value_name = "PATH", global = true)]
    pub store: Option<PathBuf>,

    /// Read the configuration from this file
    /// [env: SNAPKEY_CONFIG] [default: snapkey.toml beside the store]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Judge as of this instant, without the evidence that came later; implies --no-probe
    /// [default: now]
    #[arg(long, value_name = "RFC3339", global = true, value_parser = instant)]
    pub as_of: Option<Timestamp>,

    /// Refuse every network call; implies --no-probe
    #[arg(long, global = true)]
    pub offline: bool,

    /// Print in this format
    #[arg(long, value_enum, value_name = "FORMAT", global = true, default_value_t = Format::Table)]
    pub format: Format,

    /// Color the tables; `auto`: on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, value_name = "WHEN", global = true, default_value_t = Color::Auto)]
    pub color: Color,

    /// Print no progress and no notices on stderr, only errors
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Say more on stderr; repeat for more
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for people
    Table,
    /// One document for programs
    Json,
    /// Rows for spreadsheets
    Csv,
    /// Markdown, for a ticket or a job summary
    Md,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML, for test reports
    Junit,
    /// Annotations of a GitHub Actions job
    Github,
    /// Metrics for the textfile collector
    Prometheus,
    /// CycloneDX: keys, and the snapshots that depend on them
    Cbom,
}

impl Format {
    const fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Md => "md",
            Self::Sarif => "sarif",
            Self::Junit => "junit",
            Self::Github => "github",
            Self::Prometheus => "prometheus",
            Self::Cbom => "cbom",
        }
    }

    /// Only `audit`, `gate` and `report` conclude what these formats tell.
    const fn is_for_conclusions(self) -> bool {
        match self {
            Self::Table | Self::Json | Self::Csv => false,
            Self::Md | Self::Sarif | Self::Junit | Self::Github | Self::Prometheus | Self::Cbom => {
                true
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read a backup service's inventory into a bundle, to be ingested here or elsewhere
    Collect(Collect),
    /// Read backup inventories into the store
    Ingest(Ingest),
    /// Ask the key services for the state of keys
    Probe(Probe),
    /// Judge every snapshot and every key, and exit by the findings
    Audit(Audit),
    /// List snapshots with their verdicts
    Snapshots(Snapshots),
    /// List keys with their verdicts
    Keys(Keys),
    /// List projects and what is missing of their inventories
    Projects(Projects),
    /// Tell whether a key may be deleted, disabled or rotated
    Check(Check),
    /// Weigh the findings of the estate, or of a change to keys, for a pipeline
    Gate(Gate),
    /// Write what an audit of the store finds into a file, and exit 0
    Report(Report),
    /// Manage the snapshots that somebody downloaded
    #[command(subcommand)]
    Download(Download),
    /// Print a script that completes snapkey's words in a shell
    Completions(Completions),
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub struct Collect {
    /// Read from this service
    #[arg(value_enum, value_name = "SOURCE")]
    pub source: LiveSource,

    /// Write the bundle into this folder, which must be new or empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Read only the projects of this organization
    #[arg(long, value_name = "ID", conflicts_with = "project")]
    pub org: Option<String>,

    /// Read only this project; repeat for several [default: all that the login sees]
    #[arg(long, value_name = "ID")]
    pub project: Vec<String>,

    /// Log in with this profile of the Atlas CLI [default: `default`]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,

    /// Go on where a stopped run left `--out`
    #[arg(long)]
    pub resume: bool,
}

/// A service whose inventory is read over the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LiveSource {
    /// The Atlas Administration API
    Atlas,
    /// The Ops Manager or Cloud Manager API (not in this release)
    OpsManager,
}

#[derive(Debug, Args)]
pub struct Ingest {
    /// Read these files and folders; `-` is standard input, `atlas` the live service
    ///
    /// `atlas`, `ops-manager` and `download` are words of their own: a folder of that name is
    /// given as `./atlas`.
    #[arg(value_name = "PATH", required = true, value_parser = input())]
    pub paths: Vec<Input>,
    #[command(flatten)]
    pub flags: IngestFlags,
}

/// One thing to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Stdin,
    Path(PathBuf),
    /// The Atlas Administration API, live.
    Atlas,
    /// The Ops Manager API, live.
    OpsManager,
    /// The register of downloaded snapshots.
    Download,
}

impl From<OsString> for Input {
    fn from(typed: OsString) -> Self {
        match typed.to_str() {
            Some("-") => Self::Stdin,
            Some("atlas") => Self::Atlas,
            Some("ops-manager") => Self::OpsManager,
            Some("download") => Self::Download,
            Some(_) | None => Self::Path(PathBuf::from(typed)),
        }
    }
}

/// What is said about loose files, which do not say it themselves, and about a live source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "About what is read")]
pub struct IngestFlags {
    /// Take this as the project of what names none; with `atlas`, read only this project
    /// (repeat for several)
    #[arg(long, value_name = "ID", requires = "paths")]
    pub project: Vec<String>,

    /// With `atlas`: read only the projects of this organization
    #[arg(
        long,
        value_name = "ID",
        requires = "paths",
        conflicts_with = "project"
    )]
    pub org: Option<String>,

    /// With `atlas`: log in with this profile of the Atlas CLI
    #[arg(long, value_name = "NAME", requires = "paths")]
    pub profile: Option<String>,

    /// Take this as the cluster of what names none
    #[arg(long, value_name = "NAME", requires = "paths")]
    pub cluster: Option<String>,

    /// Take this as the address of the service that answered
    #[arg(long, value_name = "URL", requires = "paths")]
    pub base_url: Option<String>,

    /// Take this as the time at which the service answered
    #[arg(long, value_name = "RFC3339", requires = "paths", value_parser = instant)]
    pub observed_at: Option<Timestamp>,

    /// Vouch that the lists given are whole
    #[arg(long, requires = "observed_at", requires = "paths")]
    pub complete: bool,
}

#[derive(Debug, Args)]
pub struct Probe {
    /// Ask about these keys [default: every key in use whose answer is ageing]
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,

    /// Ask even where the answer is still young
    #[arg(long)]
    pub refresh: bool,

    /// Print the calls that would be made and the rights they need, and make none
    #[arg(long)]
    pub explain: bool,
}

#[derive(Debug, Args)]
pub struct Audit {
    /// Ingest these files and folders first; `-` is standard input
    #[arg(value_name = "PATH", value_parser = input())]
    pub paths: Vec<Input>,

    /// Judge by the answers in the store, and ask no key service
    #[arg(long)]
    pub no_probe: bool,

    /// Leave out the list of snapshots; the table fits one screen
    #[arg(long)]
    pub summary: bool,

    /// List every row of the tables, not just the worst 50
    #[arg(long, conflicts_with = "summary")]
    pub all: bool,

    #[command(flatten)]
    pub flags: IngestFlags,
}

#[derive(Debug, Args)]
pub struct Snapshots {
    /// Only of this project; repeat for several
    #[arg(long, value_name = "ID", help_heading = "Filters")]
    pub project: Vec<String>,

    /// Only of this cluster; repeat for several
    #[arg(long, value_name = "NAME", help_heading = "Filters")]
    pub cluster: Vec<String>,

    /// Only with this verdict; repeat for several
    #[arg(long, value_name = "VERDICT", help_heading = "Filters", value_parser = restorability())]
    pub verdict: Vec<Restorability>,

    /// Only under this key
    #[arg(long, value_name = "KEY", help_heading = "Filters")]
    pub key: Option<String>,

    /// Only what expires before this instant
    #[arg(long, value_name = "RFC3339", help_heading = "Filters", value_parser = instant)]
    pub expires_before: Option<Timestamp>,

    /// Say what besides the key stands in the way of a restore to this cluster
    #[arg(long, value_name = "PROJECT/CLUSTER", value_parser = place)]
    pub restore_to: Option<String>,
}

#[derive(Debug, Args)]
pub struct Keys {
    /// Only what this project names; repeat for several
    #[arg(long, value_name = "ID", help_heading = "Filters")]
    pub project: Vec<String>,

    /// Only what this cluster's snapshots name; repeat for several
    #[arg(long, value_name = "NAME", help_heading = "Filters")]
    pub cluster: Vec<String>,

    /// Only with this verdict; repeat for several
    #[arg(long, value_name = "VERDICT", help_heading = "Filters", value_parser = deletability())]
    pub verdict: Vec<Deletability>,

    /// Only this key
    #[arg(long, value_name = "KEY", help_heading = "Filters")]
    pub key: Option<String>,
}

#[derive(Debug, Args)]
pub struct Projects {
    /// Only this project; repeat for several
    #[arg(long, value_name = "ID", help_heading = "Filters")]
    pub project: Vec<String>,

    /// Only with this verdict
    #[arg(long, value_enum, value_name = "VERDICT", help_heading = "Filters")]
    pub verdict: Option<Completeness>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Completeness {
    Complete,
    Incomplete,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Judge this key, spelled as a snapshot, a setting or its provider spells it
    #[arg(value_name = "KEY")]
    pub key: String,

    /// Say what is to be done with the key
    #[arg(long = "for", value_name = "INTENT", default_value = "delete", value_parser = intent())]
    pub intent: Intent,

    /// Rotate to this key (with --for rotate)
    #[arg(long, value_name = "NEW")]
    pub to: Option<String>,

    /// Judge by the answers in the store, and ask no key service
    #[arg(long)]
    pub no_probe: bool,

    /// Read the inventory of every Atlas root again before judging, with the login that is there
    #[arg(long)]
    pub refresh: bool,

    /// With --refresh: log in with this profile of the Atlas CLI
    #[arg(long, value_name = "NAME", requires = "refresh")]
    pub profile: Option<String>,

    /// List at most this many of the things that need the key; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: u32,
}

#[derive(Debug, Args)]
pub struct Gate {
    /// Take `[policy]`, `[[waiver]]` and `rotation_max_age` from this file, not from the
    /// configuration
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Say what is to be done with --key
    #[arg(long = "for", value_name = "INTENT", requires = "key", value_parser = gate_intent())]
    pub intent: Option<Intent>,

    /// Ask about this key only
    #[arg(long, value_name = "KEY", requires = "intent")]
    pub key: Option<String>,

    /// Rotate to this key (with --for rotate)
    #[arg(long, value_name = "NEW", requires = "key")]
    pub to: Option<String>,

    /// Ask about the keys that this plan would take away: the output of `terraform show -json`;
    /// `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub terraform_plan: Option<PathBuf>,

    /// Ask the key services about the keys in question first
    #[arg(long)]
    pub probe: bool,
}

#[derive(Debug, Args)]
pub struct Report {
    /// Write here, all at once; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,

    /// Leave out the list of snapshots
    #[arg(long)]
    pub summary: bool,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// Complete in this shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Subcommand)]
pub enum Download {
    /// List the downloaded snapshots that still count
    List,
    /// Let a download no longer count: it was deleted, or is no longer wanted
    Forget(Forget),
}

#[derive(Debug, Args)]
pub struct Forget {
    /// Forget the download that `download list` prints under this id
    #[arg(value_name = "ID")]
    pub id: String,

    /// Say why; kept in the store and printed with every later answer
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: String,
}

impl Cli {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    ///
    /// A `clap` error, which knows its stream and its exit code (2 for usage, 0 for help).
    pub fn read<I>(words: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator,
        I::Item: Into<OsString> + Clone,
    {
        let cli = Self::try_parse_from(words)?;
        match cli.misfit() {
            None => Ok(cli),
            Some(message) => Err(Self::command().error(ErrorKind::ArgumentConflict, message)),
        }
    }

    /// Words that do not go together and that `clap` cannot compare: it checks a command's own
    /// arguments before it hands the global ones down.
    fn misfit(&self) -> Option<String> {
        let Global {
            offline,
            format,
            as_of,
            ..
        } = self.global;
        match &self.command {
            Command::Collect(_) if offline => {
                Some("`collect` needs the network, which `--offline` refuses".to_owned())
            }
            Command::Collect(_) if as_of.is_some() => {
                Some("`collect` reads now, which `--as-of` excludes".to_owned())
            }
            Command::Probe(probe) if offline && !probe.explain => {
                Some("`probe` asks the key services, which `--offline` refuses".to_owned())
            }
            Command::Ingest(Ingest { paths, .. }) | Command::Audit(Audit { paths, .. })
                if offline && paths.iter().any(Input::is_live) =>
            {
                Some("a live inventory needs the network, which `--offline` refuses".to_owned())
            }
            Command::Ingest(Ingest { paths, flags })
            | Command::Audit(Audit { paths, flags, .. })
                if flags.misfit(paths).is_some() =>
            {
                flags.misfit(paths).map(str::to_owned)
            }
            Command::Check(check) if as_of.is_some() && check.refresh => {
                Some("`--refresh` reads now, which `--as-of` excludes".to_owned())
            }
            Command::Check(check) if offline && check.refresh => {
                Some("`--refresh` needs the network, which `--offline` refuses".to_owned())
            }
            Command::Check(check) if check.to.is_some() && check.intent != Intent::Rotate => {
                Some("`--to` goes with `--for rotate`".to_owned())
            }
            Command::Gate(gate) if gate.to.is_some() && gate.intent != Some(Intent::Rotate) => {
                Some("`--to` goes with `--for rotate`".to_owned())
            }
            Command::Gate(gate)
                if gate.probe && gate.key.is_none() && gate.terraform_plan.is_none() =>
            {
                Some("`--probe` goes with `--key` or `--terraform-plan`".to_owned())
            }
            Command::Gate(gate) if gate.probe && as_of.is_some() => {
                Some("`--probe` asks now, which `--as-of` excludes".to_owned())
            }
            Command::Gate(gate) if gate.probe && offline => {
                Some("`--probe` asks the key services, which `--offline` refuses".to_owned())
            }
            Command::Collect(_) | Command::Ingest(_) | Command::Probe(_)
                if format != Format::Table && format != Format::Json =>
            {
                Some(format!(
                    "`{}` has no format `{}`; take `table` or `json`",
                    self.command.word(),
                    format.word()
                ))
            }
            Command::Snapshots(_)
            | Command::Keys(_)
            | Command::Projects(_)
            | Command::Check(_)
            | Command::Download(_)
                if format.is_for_conclusions() =>
            {
                Some(format!(
                    "`{}` has no format `{}`; take `table`, `json` or `csv`",
                    self.command.word(),
                    format.word()
                ))
            }
            Command::Completions(_) | Command::Man if format != Format::Table => {
                Some(format!("`{}` has no formats", self.command.word()))
            }
            Command::Collect(_)
            | Command::Ingest(_)
            | Command::Probe(_)
            | Command::Audit(_)
            | Command::Snapshots(_)
            | Command::Keys(_)
            | Command::Projects(_)
            | Command::Check(_)
            | Command::Gate(_)
            | Command::Report(_)
            | Command::Download(_)
            | Command::Completions(_)
            | Command::Man => None,
        }
    }
}

impl Command {
    /// The name that was typed.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Collect(_) => "collect",
            Self::Ingest(_) => "ingest",
            Self::Probe(_) => "probe",
            Self::Audit(_) => "audit",
            Self::Snapshots(_) => "snapshots",
            Self::Keys(_) => "keys",
            Self::Projects(_) => "projects",
            Self::Check(_) => "check",
            Self::Gate(_) => "gate",
            Self::Report(_) => "report",
            Self::Download(_) => "download",
            Self::Completions(_) => "completions",
            Self::Man => "man",
        }
    }
}

impl IngestFlags {
    /// Flags of a live source without one, flags of loose files without one.
    fn misfit(&self, paths: &[Input]) -> Option<&'static str> {
        let live = paths.iter().any(Input::is_live);
        let loose = paths.iter().any(|path| !path.is_live());
        let about_loose = self.cluster.is_some()
            || self.base_url.is_some()
            || self.observed_at.is_some()
            || self.complete;
        if !live && (self.org.is_some() || self.profile.is_some()) {
            Some("`--org` and `--profile` go with `atlas`")
        } else if !live && self.project.len() > 1 {
            Some("what names no project can only be of one: give `--project` once")
        } else if !loose && about_loose {
            Some("`--cluster`, `--base-url`, `--observed-at` and `--complete` go with files")
        } else {
            None
        }
    }
}

impl Input {
    /// Read over the network.
    pub const fn is_live(&self) -> bool {
        match self {
            Self::Atlas | Self::OpsManager => true,
            Self::Stdin | Self::Path(_) | Self::Download => false,
        }
    }
}

fn instant(typed: &str) -> Result<Timestamp, TimeError> {
    Timestamp::floor(typed)
}

fn place(typed: &str) -> Result<String, &'static str> {
    match typed.rsplit_once('/') {
        Some((project, cluster)) if !project.is_empty() && !cluster.is_empty() => {
            Ok(typed.to_owned())
        }
        Some(_) | None => Err("a cluster is named by its project's id, a slash and its own name"),
    }
}

fn input() -> impl TypedValueParser<Value = Input> {
    OsStringValueParser::new().map(Input::from)
}

fn restorability() -> impl TypedValueParser<Value = Restorability> {
    words(&Restorability::ALL, Restorability::word)
}

fn deletability() -> impl TypedValueParser<Value = Deletability> {
    words(&Deletability::ALL, Deletability::word)
}

fn intent() -> impl TypedValueParser<Value = Intent> {
    words(
        &[Intent::Delete, Intent::Disable, Intent::Rotate],
        Intent::word,
    )
}

fn gate_intent() -> impl TypedValueParser<Value = Intent> {
    words(&[Intent::Delete, Intent::Rotate], Intent::word)
}

/// Takes exactly the words of an enum of the contract.
fn words<T>(all: &'static [T], word: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.iter().map(move |value| word(*value))).try_map(move |typed| {
        all.iter()
            .copied()
            .find(|value| word(*value) == typed)
            .ok_or("not one of the words")
    })
}

#[cfg(test)]
mod tests;
