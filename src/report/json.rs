//! The JSON documents: frozen shapes (`docs/json.md`), which only ever gain fields within a
//! version. Own structs, so that the model may change without them.
//!
//! A document is written member by member and row by row, so that a million snapshots take no more
//! memory than one. Each member and each row of a list stands on a line of its own.

mod document;
mod shapes;

use std::io::{self, Write};

use self::document::Document;
use self::shapes as shape;
use super::{
    AuditView, CollectReport, DownloadRow, ExplainedKey, Frame, IngestReport, ProbeReport,
};
use crate::model::Timestamp;
use crate::model::verdict::{
    Assessment, KeyCheck, KeyRow, ProjectVerdict, RotationCheck, SafeAfter, SnapshotVerdict,
};

/// The number behind `snapkey.<command>/`.
pub const JSON_VERSION: u32 = 1;

/// A document whose last member is the list of snapshots.
pub(super) struct Snapshots<'w> {
    document: Document<'w>,
    /// Without: `snapshots` is null, and rows must not come.
    listed: bool,
    /// Rows tell more than those of an audit.
    in_full: bool,
}

impl Snapshots<'_> {
    pub(super) fn row(&mut self, row: &SnapshotVerdict) -> io::Result<()> {
        let judged = shape::Snapshot::from(row);
        if self.in_full {
            self.document.row(&shape::ListedSnapshot {
                judged,
                created_at: shape::time(row.created_at),
                obstacles: shape::obstacles(row),
            })
        } else {
            self.document.row(&judged)
        }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.listed {
            self.document.close_list()?;
        }
        self.document.finish()
    }
}

pub(super) fn audit<'w>(
    assessment: &Assessment,
    exit_code: u8,
    view: AuditView,
    out: &'w mut dyn Write,
) -> io::Result<Snapshots<'w>> {
    let mut document = Document::begin("audit", assessment.as_of, out)?;
    document.member("historical", &assessment.historical)?;
    document.member("exit_code", &exit_code)?;
    evidence(&mut document, Frame::from(assessment))?;
    document.member("summary", &shape::Summary::from(&assessment.summary))?;
    document.list(
        "findings",
        assessment.findings.iter().map(shape::Finding::from),
    )?;
    document.list(
        "projects",
        assessment.projects.iter().map(shape::Project::from),
    )?;
    document.list("keys", assessment.keys.iter().map(shape::KeyRow::from))?;
    let listed = !view.summary;
    if listed {
        document.open_list("snapshots")?;
    } else {
        // An empty list would say that there are none.
        document.member("snapshots", &None::<()>)?;
    }
    Ok(Snapshots {
        document,
        listed,
        in_full: false,
    })
}

pub(super) fn snapshots<'w>(
    frame: Frame<'_>,
    restore_to: Option<&str>,
    out: &'w mut dyn Write,
) -> io::Result<Snapshots<'w>> {
    let mut document = list_of("snapshots", frame, out)?;
    document.member("restore_to", &restore_to)?;
    document.open_list("snapshots")?;
    Ok(Snapshots {
        document,
        listed: true,
        in_full: true,
    })
}

pub(super) fn keys<'r>(
    frame: Frame<'_>,
    rows: impl IntoIterator<Item = &'r KeyRow>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut document = list_of("keys", frame, out)?;
    document.list("keys", rows.into_iter().map(shape::KeyRow::from))?;
    document.finish()
}

pub(super) fn projects<'r>(
    frame: Frame<'_>,
    rows: impl IntoIterator<Item = &'r ProjectVerdict>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut document = list_of("projects", frame, out)?;
    document.list("projects", rows.into_iter().map(shape::Project::from))?;
    document.finish()
}

pub(super) fn check(check: &KeyCheck, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let KeyCheck {
        as_of,
        historical,
        covered_at,
        intent,
        key,
        verdict,
        assumptions,
        roots,
    } = check;
    let document = Document::begin("check", *as_of, out)?;
    checked(
        document,
        &shape::Check {
            historical: *historical,
            covered_at: shape::time(*covered_at),
            intent: intent.word(),
            exit_code,
            key: key.into(),
            verdict: verdict.verdict.word(),
            to: None,
            keep_until: SafeAfter::None,
            details: &[],
            unit: verdict,
        },
        Frame {
            as_of: *as_of,
            historical: *historical,
            roots,
            assumptions,
        },
    )
}

pub(super) fn rotation(
    check: &RotationCheck,
    exit_code: u8,
    out: &mut dyn Write,
) -> io::Result<()> {
    let RotationCheck {
        as_of,
        historical,
        covered_at,
        verdict,
        reasons,
        key,
        to,
        keep_until,
        old,
        assumptions,
        roots,
    } = check;
    let document = Document::begin("check", *as_of, out)?;
    checked(
        document,
        &shape::Check {
            historical: *historical,
            covered_at: shape::time(*covered_at),
            intent: crate::model::verdict::Intent::Rotate.word(),
            exit_code,
            key: key.into(),
            verdict: verdict.word(),
            to: to.as_ref().map(shape::Key::from),
            keep_until: *keep_until,
            details: reasons,
            unit: old,
        },
        Frame {
            as_of: *as_of,
            historical: *historical,
            roots,
            assumptions,
        },
    )
}

/// The members that every intent has, in the order of the contract; those of a rotation are null
/// or empty elsewhere.
fn checked(
    mut document: Document<'_>,
    check: &shape::Check<'_>,
    frame: Frame<'_>,
) -> io::Result<()> {
    document.member("historical", &check.historical)?;
    document.member("covered_at", &check.covered_at)?;
    document.member("intent", &check.intent)?;
    document.member("exit_code", &check.exit_code)?;
    document.member("key", &check.key)?;
    document.member("verdict", &check.verdict)?;
    document.member("safe_after", &shape::time(check.unit.safe_after.date()))?;
    document.member("safe_after_kind", &check.unit.safe_after.word())?;
    document.member("to", &check.to)?;
    document.member("keep_until", &shape::time(check.keep_until.date()))?;
    document.member("keep_until_kind", &check.keep_until.word())?;
    document.member("details", &check.details)?;
    document.list(
        "dependants",
        check.unit.dependants.iter().map(shape::Dependant::from),
    )?;
    document.member("dependant_counts", &shape::counts(&check.unit.counts))?;
    document.member("lost_snapshots", &check.unit.lost_snapshots)?;
    document.list("doubts", check.unit.doubts.iter().map(shape::Doubt::from))?;
    document.list(
        "assumptions",
        frame.assumptions.iter().map(shape::Assumption::from),
    )?;
    document.list("roots", frame.roots.iter().map(shape::Root::from))?;
    document.finish()
}

pub(super) fn downloads(
    as_of: Timestamp,
    rows: &[DownloadRow],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut document = Document::begin("download", as_of, out)?;
    document.list("downloads", rows.iter().map(shape::Download::from))?;
    document.finish()
}

pub(super) fn probe(report: &ProbeReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let ProbeReport {
        as_of,
        exit_code,
        observations,
        unresolved,
        still_fresh,
        not_asked,
        causes,
        last_uses,
    } = report;
    let mut document = Document::begin("probe", *as_of, out)?;
    document.member("exit_code", exit_code)?;
    document.list(
        "observations",
        observations.iter().map(shape::Observation::from),
    )?;
    document.member("unresolved", unresolved)?;
    document.member("not_asked", not_asked)?;
    document.member("still_fresh", still_fresh)?;
    document.list("causes", causes.iter().map(shape::Cause::from))?;
    document.list("last_uses", last_uses.iter().map(shape::LastUse::from))?;
    document.finish()
}

pub(super) fn collect(report: &CollectReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let CollectReport {
        as_of,
        exit_code,
        out: bundle,
        started_at,
        was_finished,
        projects,
        clusters,
        requests,
        asked,
        gaps,
        assumptions,
    } = report;
    let mut document = Document::begin("collect", *as_of, out)?;
    document.member("exit_code", exit_code)?;
    document.member("bundle", bundle)?;
    document.member("started_at", &started_at.map(|at| at.to_string()))?;
    document.member("was_finished", was_finished)?;
    document.member("projects", projects)?;
    document.member("clusters", clusters)?;
    document.member("requests", requests)?;
    document.member("asked", asked)?;
    document.list("gaps", gaps.iter())?;
    document.list("assumptions", assumptions.iter())?;
    document.finish()
}

pub(super) fn explain(
    as_of: Timestamp,
    keys: &[ExplainedKey],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut document = Document::begin("probe-explain", as_of, out)?;
    document.list("keys", keys.iter().map(shape::ExplainedKey::from))?;
    document.finish()
}

pub(super) fn ingest(report: &IngestReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let IngestReport {
        as_of,
        exit_code,
        unchanged,
        files,
        snapshots,
        readings,
        observations,
        not_needed,
        rejects,
        gaps,
    } = report;
    let mut document = Document::begin("ingest", *as_of, out)?;
    document.member("exit_code", exit_code)?;
    document.member("unchanged", unchanged)?;
    document.member("files", files)?;
    document.member("snapshots", snapshots)?;
    document.member("readings", readings)?;
    document.member("observations", observations)?;
    document.member("not_needed", not_needed)?;
    document.list("rejected", rejects.iter().map(shape::Reject::from))?;
    document.list("gaps", gaps.iter())?;
    document.finish()
}

/// The beginning of every list about an estate.
fn list_of<'w>(
    command: &str,
    frame: Frame<'_>,
    out: &'w mut dyn Write,
) -> io::Result<Document<'w>> {
    let mut document = Document::begin(command, frame.as_of, out)?;
    document.member("historical", &frame.historical)?;
    evidence(&mut document, frame)?;
    Ok(document)
}

fn evidence(document: &mut Document<'_>, frame: Frame<'_>) -> io::Result<()> {
    document.list("roots", frame.roots.iter().map(shape::Root::from))?;
    document.list(
        "assumptions",
        frame.assumptions.iter().map(shape::Assumption::from),
    )
}
