//! SARIF 2.1.0, for GitHub code scanning and other viewers of findings.
//!
//! The structs are our own: they are the part of the format that snapkey uses, and a level or a
//! kind that SARIF does not know cannot be written. (The crate that has all of SARIF generates it
//! from the JSON Schema at build time, with a second and a third `syn`, and leaves half of those
//! words untyped.)
//!
//! A key has no line in a file. GitHub refuses a result without one, so every result points at the
//! file that holds the policy; what the result is about is its logical location.

mod rules;

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Conclusion;
use super::text::escape;
use super::words::{self, number};
use crate::model::verdict::{Class, Code, Finding, Level};

/// Results of one run that GitHub takes in; of more it takes none.
const RESULTS: usize = 25_000;
/// What a path does not hold as it is in a URI.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// The root of the repository, by the name that GitHub knows.
const ROOT: &str = "%SRCROOT%";

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    automation_details: AutomationDetails,
    invocations: [Invocation; 1],
    original_uri_base_ids: BaseIds,
    column_kind: &'static str,
    results: Vec<Outcome<'a>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    version: &'static str,
    semantic_version: &'static str,
    rules: Vec<rules::Rule>,
    notifications: Vec<rules::Notice>,
}

/// What GitHub tells the uploads of one commit apart by.
#[derive(Serialize)]
struct AutomationDetails {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    exit_code: u8,
    exit_code_description: &'static str,
    /// The instant that the conclusions are about: a clock would change the bytes.
    end_time_utc: String,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct BaseIds {
    #[serde(rename = "%SRCROOT%")]
    root: BaseId,
}

#[derive(Serialize)]
struct BaseId {
    description: Message,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    descriptor: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    associated_rule: Option<Reference>,
    level: Severity,
    message: Message,
}

#[derive(Serialize)]
struct Reference {
    id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: Severity,
    message: Message,
    locations: [Location<'a>; 1],
    partial_fingerprints: Fingerprints,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    physical_location: PhysicalLocation<'a>,
    logical_locations: [LogicalLocation; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation<'a> {
    artifact_location: ArtifactLocation<'a>,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation<'a> {
    uri: &'a str,
    uri_base_id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    fully_qualified_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fingerprints {
    /// The one that GitHub compares. Where it is missing, the upload makes one of the line that
    /// the result points at, which is the same for all of ours.
    primary_location_line_hash: String,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

impl Message {
    fn new(text: &str) -> Self {
        Self {
            text: message(text),
        }
    }
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Error,
    Warning,
    Note,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Deny => Self::Error,
            Level::Warn => Self::Warning,
            Level::Allow => Self::Note,
        }
    }
}

/// A text as a message of SARIF: a brace stands for itself when it is doubled, and `](` would make
/// a link.
fn message(text: &str) -> String {
    escape(text)
        .replace('{', "{{")
        .replace('}', "}}")
        .replace("](", "] (")
}

pub(super) fn write(conclusion: &Conclusion<'_>, out: &mut dyn Write) -> io::Result<()> {
    let codes: Vec<Code> = conclusion.codes().collect();
    let uri = utf8_percent_encode(conclusion.anchor, PATH).to_string();
    let (results, left_out) = results(conclusion, &codes, &uri);
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "snapkey",
                    version: env!("CARGO_PKG_VERSION"),
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules: codes.iter().copied().map(rules::rule).collect(),
                    notifications: rules::Kind::ALL.map(rules::notice).into(),
                },
            },
            automation_details: AutomationDetails {
                id: format!("snapkey/{}/", conclusion.command),
            },
            invocations: [Invocation {
                // It ran to its end; what it concluded is the exit code.
                execution_successful: true,
                exit_code: conclusion.exit_code,
                exit_code_description: conclusion.verdict(),
                end_time_utc: conclusion.frame.as_of.to_string(),
                tool_execution_notifications: notifications(conclusion, &codes, left_out),
            }],
            original_uri_base_ids: BaseIds {
                root: BaseId {
                    description: Message::new("the root of the repository that holds the policy"),
                },
            },
            column_kind: "utf16CodeUnits",
            results,
        }],
    };
    let mut out = BufWriter::new(out);
    serde_json::to_writer_pretty(&mut out, &log)?;
    writeln!(out)?;
    out.flush()
}

/// Worst first, and how many are too many for GitHub. What the policy allows is no result, unless
/// a waiver says why.
fn results<'a>(
    conclusion: &Conclusion<'_>,
    codes: &[Code],
    uri: &'a str,
) -> (Vec<Outcome<'a>>, usize) {
    let mut told = conclusion
        .findings
        .iter()
        .filter(|finding| finding.level != Level::Allow || finding.waived.is_some());
    let mut results = Vec::new();
    let mut before: Option<(Code, &str)> = None;
    let mut nth = 0_usize;
    for finding in told.by_ref().take(RESULTS) {
        let this = (finding.code, finding.subject.as_str());
        nth = if before == Some(this) { nth + 1 } else { 1 };
        before = Some(this);
        results.push(result(finding, nth, index(codes, finding.code), uri));
    }
    (results, told.count())
}

fn index(codes: &[Code], code: Code) -> Option<usize> {
    codes.iter().position(|at| *at == code)
}

/// `nth`: of the findings of the same code about the same subject.
fn result<'a>(
    finding: &Finding,
    nth: usize,
    rule_index: Option<usize>,
    uri: &'a str,
) -> Outcome<'a> {
    let subject = escape(&finding.subject).into_owned();
    Outcome {
        rule_id: finding.code.word(),
        rule_index,
        level: finding.level.into(),
        message: Message::new(&format!("{subject}: {}", finding.message)),
        locations: [Location {
            physical_location: PhysicalLocation {
                artifact_location: ArtifactLocation {
                    uri,
                    uri_base_id: ROOT,
                },
                region: Region { start_line: 1 },
            },
            logical_locations: [LogicalLocation {
                fully_qualified_name: subject,
            }],
        }],
        partial_fingerprints: Fingerprints {
            primary_location_line_hash: format!("{}:{nth}", fingerprint(finding)),
        },
        suppressions: finding
            .waived
            .iter()
            .map(|waived| Suppression {
                kind: "external",
                status: "accepted",
                justification: format!("{} (until {})", escape(&waived.reason), waived.until),
            })
            .collect(),
    }
}

/// Of the code and the subject alone: the same finding tomorrow, whatever its message then counts.
fn fingerprint(finding: &Finding) -> String {
    let mut hash = Sha256::new();
    hash.update(finding.code.word());
    hash.update([0]);
    hash.update(&finding.subject);
    let mut text = String::new();
    for byte in hash.finalize().iter().take(16) {
        // Writing to a string does not fail.
        let _written = write!(text, "{byte:02x}");
    }
    text
}

fn notifications(
    conclusion: &Conclusion<'_>,
    codes: &[Code],
    left_out: usize,
) -> Vec<Notification> {
    use rules::Kind;
    let notification = |kind: Kind, level, text: &str| Notification {
        descriptor: Reference {
            id: kind.id(),
            index: Some(kind as usize),
        },
        associated_rule: None,
        level,
        message: Message::new(text),
    };
    let mut all = Vec::new();
    if let Some(why) = conclusion.withheld() {
        all.push(notification(Kind::Historical, Severity::Error, why));
    }
    if left_out > 0 {
        let text = format!(
            "{}: the worst {RESULTS} are results of this run, which is as many as GitHub takes; \
             `snapkey {} --format json` lists all",
            number(left_out, "finding is left out", "findings are left out"),
            conclusion.command
        );
        all.push(notification(Kind::LeftOut, Severity::Error, &text));
    }
    let (_, allowed) = conclusion.put_up_with();
    if allowed > 0 {
        let text = format!(
            "{} allowed by the policy and left out",
            number(allowed, "finding is", "findings are")
        );
        all.push(notification(Kind::Allowed, Severity::Note, &text));
    }
    let undecided = conclusion
        .findings
        .iter()
        .filter(|f| f.level != Level::Allow && f.code.class() == Class::Undecided);
    // One for each code: a store that was not read for a day has as many findings as snapshots.
    let undecided: Vec<&Finding> = undecided.collect();
    for group in undecided.chunk_by(|a, b| (a.level, a.code) == (b.level, b.code)) {
        let Some(first) = group.first() else {
            continue;
        };
        let text = format!(
            "{} of {}, the first: {}: {}",
            number(group.len(), "finding", "findings"),
            first.code,
            first.subject,
            first.message
        );
        let mut told = notification(Kind::Undecided, first.level.into(), &text);
        told.associated_rule = Some(Reference {
            id: first.code.word(),
            index: index(codes, first.code),
        });
        all.push(told);
    }
    for assumption in conclusion.frame.assumptions {
        let text = format!("{}: {}", assumption.kind, words::assumption(assumption));
        all.push(notification(Kind::Assumption, Severity::Note, &text));
    }
    for root in conclusion.frame.roots {
        let text = words::root(root);
        all.push(notification(Kind::Evidence, Severity::Note, &text));
    }
    all
}
