//! The JSON documents: frozen shapes (`docs/json.md`, `docs/schema/`), which only ever gain fields
//! within a version. Own structs, so that the model may change without them.
//!
//! Snapshots are written row by row, so that a million take no more memory than one. Each member
//! and each row of a list stands on a line of its own.

pub(super) mod document;
mod documents;
#[cfg(test)]
pub(super) mod schema;
mod shapes;

use std::io::{self, Write};

use serde::Serialize;

use self::document::Document;
use self::documents::Head;
use self::shapes::{self as shape, Each};
use super::{
    AuditView, CollectReport, Conclusion, DownloadRow, ExplainedKey, Frame, IngestReport,
    ProbeReport,
};
use crate::model::Timestamp;
use crate::model::verdict::{
    Assessment, Intent, KeyCheck, KeyRow, ProjectVerdict, RotationCheck, SafeAfter, SnapshotVerdict,
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
    let members = documents::Audit {
        head: Head::of("audit", assessment.as_of),
        historical: assessment.historical,
        exit_code,
        roots: Each::of(&assessment.roots),
        assumptions: Each::of(&assessment.assumptions),
        summary: shape::Summary::from(&assessment.summary),
        findings: Each::of(&assessment.findings),
        projects: Each::of(&assessment.projects),
        keys: Each::of(&assessment.keys),
    };
    let mut document = Document::begin(&members, out)?;
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

pub(super) fn gate(conclusion: &Conclusion<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Conclusion {
        command: _,
        exit_code,
        frame,
        findings,
        asked,
        answers,
        estate,
        anchor: _,
    } = *conclusion;
    let weighed = estate.filter(|_| !asked);
    let members = documents::Gate {
        head: Head::of("gate", frame.as_of),
        historical: frame.historical,
        exit_code,
        verdict: conclusion.verdict(),
        roots: Each::of(frame.roots),
        assumptions: Each::of(frame.assumptions),
        summary: weighed.map(|estate| shape::Summary::from(&estate.summary)),
        answers: Each::of(answers),
        findings: Each::of(findings),
    };
    whole(&members, out)
}

pub(super) fn snapshots<'w>(
    frame: Frame<'_>,
    restore_to: Option<&str>,
    out: &'w mut dyn Write,
) -> io::Result<Snapshots<'w>> {
    let members = documents::Snapshots {
        head: Head::of("snapshots", frame.as_of),
        historical: frame.historical,
        roots: Each::of(frame.roots),
        assumptions: Each::of(frame.assumptions),
        restore_to,
    };
    let mut document = Document::begin(&members, out)?;
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
    let members = documents::Keys {
        head: Head::of("keys", frame.as_of),
        historical: frame.historical,
        roots: Each::of(frame.roots),
        assumptions: Each::of(frame.assumptions),
        keys: rows.into_iter().map(shape::KeyRow::from).collect(),
    };
    whole(&members, out)
}

pub(super) fn projects<'r>(
    frame: Frame<'_>,
    rows: impl IntoIterator<Item = &'r ProjectVerdict>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let members = documents::Projects {
        head: Head::of("projects", frame.as_of),
        historical: frame.historical,
        roots: Each::of(frame.roots),
        assumptions: Each::of(frame.assumptions),
        projects: rows.into_iter().map(shape::Project::from).collect(),
    };
    whole(&members, out)
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
    let members = documents::Check {
        head: Head::of("check", *as_of),
        historical: *historical,
        covered_at: shape::time(*covered_at),
        intent: intent.word(),
        exit_code,
        key: key.into(),
        verdict: verdict.verdict.word(),
        safe_after: shape::time(verdict.safe_after.date()),
        safe_after_kind: verdict.safe_after.word(),
        to: None,
        keep_until: None,
        keep_until_kind: SafeAfter::None.word(),
        details: &[],
        dependants: Each::of(&verdict.dependants),
        dependant_counts: shape::counts(&verdict.counts),
        lost_snapshots: verdict.lost_snapshots,
        doubts: Each::of(&verdict.doubts),
        assumptions: Each::of(assumptions),
        roots: Each::of(roots),
    };
    whole(&members, out)
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
    let members = documents::Check {
        head: Head::of("check", *as_of),
        historical: *historical,
        covered_at: shape::time(*covered_at),
        intent: Intent::Rotate.word(),
        exit_code,
        key: key.into(),
        verdict: verdict.word(),
        safe_after: shape::time(old.safe_after.date()),
        safe_after_kind: old.safe_after.word(),
        to: to.as_ref().map(shape::Key::from),
        keep_until: shape::time(keep_until.date()),
        keep_until_kind: keep_until.word(),
        details: reasons,
        dependants: Each::of(&old.dependants),
        dependant_counts: shape::counts(&old.counts),
        lost_snapshots: old.lost_snapshots,
        doubts: Each::of(&old.doubts),
        assumptions: Each::of(assumptions),
        roots: Each::of(roots),
    };
    whole(&members, out)
}

pub(super) fn downloads(
    as_of: Timestamp,
    rows: &[DownloadRow],
    out: &mut dyn Write,
) -> io::Result<()> {
    let members = documents::Downloads {
        head: Head::of("download", as_of),
        downloads: Each::of(rows),
    };
    whole(&members, out)
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
    } = *report;
    let members = documents::Probe {
        head: Head::of("probe", as_of),
        exit_code,
        observations: Each::of(observations),
        unresolved,
        not_asked,
        still_fresh,
        causes: Each::of(causes),
        last_uses: Each::of(last_uses),
    };
    whole(&members, out)
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
    } = *report;
    let members = documents::Collect {
        head: Head::of("collect", as_of),
        exit_code,
        bundle,
        started_at: shape::time(started_at),
        was_finished,
        projects,
        clusters,
        requests,
        asked,
        gaps,
        assumptions,
    };
    whole(&members, out)
}

pub(super) fn explain(
    as_of: Timestamp,
    keys: &[ExplainedKey],
    out: &mut dyn Write,
) -> io::Result<()> {
    let members = documents::Explain {
        head: Head::of("probe-explain", as_of),
        keys: Each::of(keys),
    };
    whole(&members, out)
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
    } = *report;
    let members = documents::Ingest {
        head: Head::of("ingest", as_of),
        exit_code,
        unchanged,
        files,
        snapshots,
        readings,
        observations,
        not_needed,
        rejected: Each::of(rejects),
        gaps,
    };
    whole(&members, out)
}

fn whole(members: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    Document::begin(members, out)?.finish()
}
