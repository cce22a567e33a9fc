//! Conclusions -> bytes, in the format asked for. Decides nothing: verdicts come from `assess`, and
//! the exit code is given by the caller, who settled it before anything is printed.

mod cbom;
mod conclusion;
mod csv;
mod github;
mod json;
mod junit;
mod markdown;
mod prometheus;
mod rows;
mod sarif;
mod table;
pub mod text;
mod words;
mod worst;

use std::io::{self, Write};

use crate::model::evidence::Observation;
use crate::model::verdict::{
    Assessment, Assumption, KeyCheck, KeyRow, ProjectVerdict, RootVerdict, RotationCheck,
};
use crate::model::{LastUse, Provider, Timestamp};

pub use conclusion::{AuditView, Conclusion, Style};
pub use json::JSON_VERSION;
pub use rows::{SnapshotRows, audit, gate, snapshots};

/// What every list can be printed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
    Csv,
}

/// How a table may look. JSON and CSV never depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Columns of the terminal. `None`: not a terminal, so nothing is wrapped or shortened.
    pub width: Option<u16>,
    pub color: bool,
}

/// What every answer about an estate carries besides its rows.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub as_of: Timestamp,
    pub historical: bool,
    pub roots: &'a [RootVerdict],
    pub assumptions: &'a [Assumption],
}

impl<'a> From<&'a Assessment> for Frame<'a> {
    fn from(assessment: &'a Assessment) -> Self {
        Self {
            as_of: assessment.as_of,
            historical: assessment.historical,
            roots: &assessment.roots,
            assumptions: &assessment.assumptions,
        }
    }
}

/// What one `collect` brought together.
#[derive(Clone, Copy, Debug)]
pub struct CollectReport<'a> {
    pub as_of: Timestamp,
    pub exit_code: u8,
    /// The folder of the bundle, as it was given.
    pub out: &'a str,
    /// No answer in the bundle is older.
    pub started_at: Option<Timestamp>,
    /// The folder held a finished bundle: nothing was asked.
    pub was_finished: bool,
    pub projects: usize,
    pub clusters: usize,
    /// Requests that the bundle names.
    pub requests: usize,
    /// Of them, those that this run made.
    pub asked: usize,
    /// Sentences: what was not read whole, and which verdicts that weakens.
    pub gaps: &'a [String],
    /// Sentences: what was not read for want of rights, and what is assumed instead.
    pub assumptions: &'a [String],
}

/// What one `ingest` did.
#[derive(Clone, Copy, Debug)]
pub struct IngestReport<'a> {
    pub as_of: Timestamp,
    pub exit_code: u8,
    /// All of it was in the store already.
    pub unchanged: bool,
    pub files: u64,
    /// Rows of snapshot lists, readings and key answers that were read.
    pub snapshots: u64,
    pub readings: u64,
    pub observations: u64,
    /// Answers of known shapes that snapkey does not need.
    pub not_needed: u64,
    pub rejects: &'a [Reject],
    /// What is missing for completeness, sentences.
    pub gaps: &'a [String],
}

/// A record that could not be read; the rest was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub file: String,
    /// Where in the file: `results[17]`, `line 4`.
    pub record: Option<String>,
    pub reason: String,
}

/// What one `probe` learned.
#[derive(Clone, Copy, Debug)]
pub struct ProbeReport<'a> {
    pub as_of: Timestamp,
    pub exit_code: u8,
    /// By key.
    pub observations: &'a [Observation],
    /// Ids that cannot be asked about: they are not complete.
    pub unresolved: &'a [String],
    /// Keys whose answer is young enough.
    pub still_fresh: u64,
    /// Keys that were to be asked about and were not: stopped, out of time, no such provider yet.
    pub not_asked: &'a [String],
    /// Why some keys could not be told, the most frequent first.
    pub causes: &'a [CauseRow],
    /// When keys were last used, as far as their provider says so.
    pub last_uses: &'a [LastUse],
}

/// Keys that could not be told for the same reason.
#[derive(Clone, Debug)]
pub struct CauseRow {
    pub provider: Provider,
    /// A word of `unknown`, or `transient`.
    pub reason: &'static str,
    /// How many keys.
    pub keys: usize,
    /// What one of them was told.
    pub example: Option<String>,
    /// What would change it.
    pub fix: &'static str,
}

/// What asking about one key would take.
#[derive(Clone, Debug)]
pub struct ExplainedKey {
    /// As it was typed.
    pub subject: String,
    pub provider: Provider,
    pub endpoint: String,
    /// Where the login is looked for.
    pub login: &'static str,
    /// Call, when it is made, the right that it needs.
    pub calls: Vec<(String, &'static str, &'static str)>,
}

/// A row of `download list`, or what `download forget` forgot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadRow {
    /// What `download forget` takes.
    pub id: String,
    pub project: Option<String>,
    pub cluster: Option<String>,
    pub snapshot: Option<String>,
    /// As spelled.
    pub keys: Vec<String>,
    pub finished_at: Option<Timestamp>,
    pub forgotten_at: Option<Timestamp>,
    pub reason: Option<String>,
}

/// The whole of `keys`.
pub fn keys<'r>(
    format: Format,
    frame: Frame<'_>,
    rows: impl IntoIterator<Item = &'r KeyRow>,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Table => table::keys(frame, rows, layout, out),
        Format::Json => json::keys(frame, rows, out),
        Format::Csv => csv::keys(rows, out),
    }
}

/// The whole of `projects`.
pub fn projects<'r>(
    format: Format,
    frame: Frame<'_>,
    rows: impl IntoIterator<Item = &'r ProjectVerdict>,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Table => table::projects(frame, rows, layout, out),
        Format::Json => json::projects(frame, rows, out),
        Format::Csv => csv::projects(rows, out),
    }
}

/// The whole of `check --for delete|disable`.
pub fn check(
    format: Format,
    check: &KeyCheck,
    exit_code: u8,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Table => table::check(check, layout, out),
        Format::Json => json::check(check, exit_code, out),
        Format::Csv => csv::check(check, out),
    }
}

/// The whole of `check --for rotate`.
pub fn rotation(
    format: Format,
    check: &RotationCheck,
    exit_code: u8,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Table => table::rotation(check, layout, out),
        Format::Json => json::rotation(check, exit_code, out),
        Format::Csv => csv::rotation(check, out),
    }
}

/// The whole of `download list` and `download forget`.
pub fn downloads(
    format: Format,
    as_of: Timestamp,
    rows: &[DownloadRow],
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Table => table::downloads(rows, layout, out),
        Format::Json => json::downloads(as_of, rows, out),
        Format::Csv => csv::downloads(rows, out),
    }
}

/// The whole of `probe`, which has no CSV.
pub fn probe(
    format: Format,
    report: &ProbeReport<'_>,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Table => table::probe(report, layout, out),
        Format::Json => json::probe(report, out),
        Format::Csv => Err(no_such_format()),
    }
}

/// The whole of `collect`, which has no CSV.
pub fn collect(
    format: Format,
    report: &CollectReport<'_>,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Table => table::collect(report, layout, out),
        Format::Json => json::collect(report, out),
        Format::Csv => Err(no_such_format()),
    }
}

/// The whole of `probe --explain`, which has no CSV.
pub fn explain(
    format: Format,
    as_of: Timestamp,
    keys: &[ExplainedKey],
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Table => table::explain(keys, layout, out),
        Format::Json => json::explain(as_of, keys, out),
        Format::Csv => Err(no_such_format()),
    }
}

/// The whole of `ingest`, which has no CSV.
pub fn ingest(
    format: Format,
    report: &IngestReport<'_>,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Table => table::ingest(report, layout, out),
        Format::Json => json::ingest(report, out),
        Format::Csv => Err(no_such_format()),
    }
}

/// The command line refuses the pair before anything is done.
fn no_such_format() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the command has no CSV format")
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
