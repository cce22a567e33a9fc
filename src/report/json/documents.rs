//! The documents as wholes: their members in the order in which they are written. The published
//! schemas are made from these structs, so that the two cannot differ.

use serde::Serialize;

use super::JSON_VERSION;
#[cfg(test)]
use super::schema::words;
use super::shapes::{
    Answer, Assumption, Cause, Counts, Dependant, Doubt, Download, Each, ExplainedKey, Finding,
    Key, KeyRow, LastUse, Observation, Project, Reject, Root, Summary, Time, Tool,
};
use crate::model::{self, Timestamp, evidence, gate, verdict};
use crate::report;

type Roots<'a> = Each<'a, verdict::RootVerdict, Root<'a>>;
type Assumptions<'a> = Each<'a, verdict::Assumption, Assumption<'a>>;
type Findings<'a> = Each<'a, verdict::Finding, Finding<'a>>;

/// What every document begins with.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Head {
    schema: String,
    /// The instant that the answer is about.
    as_of: Time,
    tool: Tool,
}

impl Head {
    pub(super) fn of(command: &str, as_of: Timestamp) -> Self {
        Self {
            schema: format!("snapkey.{command}/{JSON_VERSION}"),
            as_of: Time(as_of),
            tool: Tool::default(),
        }
    }
}

/// All but the snapshots, which stream.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Audit<'a> {
    #[serde(flatten)]
    pub(super) head: Head,
    /// The store holds evidence later than `as_of`, which is not seen.
    pub(super) historical: bool,
    pub(super) exit_code: u8,
    pub(super) roots: Roots<'a>,
    pub(super) assumptions: Assumptions<'a>,
    pub(super) summary: Summary,
    pub(super) findings: Findings<'a>,
    pub(super) projects: Each<'a, verdict::ProjectVerdict, Project<'a>>,
    pub(super) keys: Each<'a, verdict::KeyRow, KeyRow<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Gate<'a> {
    #[serde(flatten)]
    pub(super) head: Head,
    /// The store holds evidence later than `as_of`, which is not seen.
    pub(super) historical: bool,
    pub(super) exit_code: u8,
    /// The exit code as a word.
    #[cfg_attr(test, schemars(schema_with = "words::gate"))]
    pub(super) verdict: &'static str,
    pub(super) roots: Roots<'a>,
    pub(super) assumptions: Assumptions<'a>,
    /// Null: only the keys in question were looked at.
    pub(super) summary: Option<Summary>,
    pub(super) answers: Each<'a, gate::Answer, Answer<'a>>,
    pub(super) findings: Findings<'a>,
}

/// All but the snapshots, which stream.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Snapshots<'a> {
    #[serde(flatten)]
    pub(super) head: Head,
    /// The store holds evidence later than `as_of`, which is not seen.
    pub(super) historical: bool,
    pub(super) roots: Roots<'a>,
    pub(super) assumptions: Assumptions<'a>,
    /// The cluster that obstacles are about; null: nobody asked.
    pub(super) restore_to: Option<&'a str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Keys<'a> {
    #[serde(flatten)]
    pub(super) head: Head,
    /// The store holds evidence later than `as_of`, which is not seen.
    pub(super) historical: bool,
    pub(super) roots: Roots<'a>,
    pub(super) assumptions: Assumptions<'a>,
    pub(super) keys: Vec<KeyRow<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Projects<'a> {
    #[serde(flatten)]
    pub(super) head: Head,
    /// The store holds evidence later than `as_of`, which is not seen.
    pub(super) historical: bool,
    pub(super) roots: Roots<'a>,
    pub(super) assumptions: Assumptions<'a>,
    pub(super) projects: Vec<Project<'a>>,
}

/// The members that every intent has; those of a rotation are null or empty elsewhere.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Check<'a> {
    #[serde(flatten)]
    pub(super) head: Head,
    /// The store holds evidence later than `as_of`, which is not seen.
    pub(super) historical: bool,
    /// The oldest list that the answer rests on; nothing after it is seen.
    pub(super) covered_at: Option<Time>,
    #[cfg_attr(test, schemars(schema_with = "words::intent"))]
    pub(super) intent: &'static str,
    pub(super) exit_code: u8,
    pub(super) key: Key<'a>,
    #[cfg_attr(test, schemars(schema_with = "words::answer"))]
    pub(super) verdict: &'static str,
    pub(super) safe_after: Option<Time>,
    #[cfg_attr(test, schemars(schema_with = "words::safe_after"))]
    pub(super) safe_after_kind: &'static str,
    /// The key to rotate to.
    pub(super) to: Option<Key<'a>>,
    /// How long the old key must be kept after the rotation.
    pub(super) keep_until: Option<Time>,
    #[cfg_attr(test, schemars(schema_with = "words::safe_after"))]
    pub(super) keep_until_kind: &'static str,
    pub(super) details: &'a [String],
    /// At most `--limit`; `dependant_counts` counts all.
    pub(super) dependants: Each<'a, verdict::Dependant, Dependant<'a>>,
    pub(super) dependant_counts: Counts,
    /// How many snapshots were lost with a key that is gone.
    pub(super) lost_snapshots: u64,
    pub(super) doubts: Each<'a, verdict::Doubt, Doubt<'a>>,
    pub(super) assumptions: Assumptions<'a>,
    pub(super) roots: Roots<'a>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Downloads<'a> {
    #[serde(flatten)]
    pub(super) head: Head,
    pub(super) downloads: Each<'a, report::DownloadRow, Download<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Probe<'a> {
    #[serde(flatten)]
    pub(super) head: Head,
    pub(super) exit_code: u8,
    pub(super) observations: Each<'a, evidence::Observation, Observation<'a>>,
    /// Ids that are not complete, and so cannot be asked about.
    pub(super) unresolved: &'a [String],
    pub(super) not_asked: &'a [String],
    /// Keys whose answer is young enough.
    pub(super) still_fresh: u64,
    /// What could not be told, by cause.
    pub(super) causes: Each<'a, report::CauseRow, Cause<'a>>,
    /// When a provider last saw keys used: evidence for people, of no weight in a verdict.
    pub(super) last_uses: Each<'a, model::LastUse, LastUse<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Explain<'a> {
    #[serde(flatten)]
    pub(super) head: Head,
    pub(super) keys: Each<'a, report::ExplainedKey, ExplainedKey<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Collect<'a> {
    #[serde(flatten)]
    pub(super) head: Head,
    pub(super) exit_code: u8,
    /// The folder, as it was given.
    pub(super) bundle: &'a str,
    /// No answer in the bundle is older.
    pub(super) started_at: Option<Time>,
    /// The folder held a finished bundle: nothing was asked.
    pub(super) was_finished: bool,
    pub(super) projects: usize,
    pub(super) clusters: usize,
    /// Requests that the bundle names.
    pub(super) requests: usize,
    /// Of them, those that this run made.
    pub(super) asked: usize,
    pub(super) gaps: &'a [String],
    pub(super) assumptions: &'a [String],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Ingest<'a> {
    #[serde(flatten)]
    pub(super) head: Head,
    pub(super) exit_code: u8,
    /// All of it was in the store already.
    pub(super) unchanged: bool,
    pub(super) files: u64,
    pub(super) snapshots: u64,
    pub(super) readings: u64,
    pub(super) observations: u64,
    /// Answers of known shapes that snapkey does not need.
    pub(super) not_needed: u64,
    pub(super) rejected: Each<'a, report::Reject, Reject<'a>>,
    /// What is missing for completeness.
    pub(super) gaps: &'a [String],
}
