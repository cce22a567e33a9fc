//! The table of `audit`: what needs action, then keys, then snapshots, each worst first.

use std::io::{self, Write};

use super::brief::brief;
use super::lists::{key_grid, snapshot_grid};
use super::page::{Cell, Column, Grid, Page};
use crate::model::verdict::{
    Assessment, Deletability, Finding, Level, Restorability, SnapshotVerdict,
};
use crate::report::words::{self, Tone, number};
use crate::report::worst::{self, EXAMPLES, ROWS, Worst};
use crate::report::{AuditView, Frame, Layout};

/// Rows of one grid: its columns are as wide as its widest row, so all rows are held until then.
const CHUNK: usize = 1_000;

/// Takes snapshots and keeps the worst; without `--all` never more than [`ROWS`].
pub(in crate::report) struct Audit<'a> {
    page: Page<'a>,
    assessment: &'a Assessment,
    view: AuditView,
    worst: Worst,
}

/// Prints all but the snapshots; of a summary all.
pub(in crate::report) fn audit<'a>(
    assessment: &'a Assessment,
    exit_code: u8,
    view: AuditView,
    layout: Layout,
    out: &'a mut dyn Write,
) -> io::Result<Audit<'a>> {
    let mut page = Page::new(layout, out);
    let frame = Frame::from(assessment);
    if view.summary {
        let how = "the same without --summary";
        let findings = &assessment.findings;
        brief(&mut page, findings, frame, exit_code, assessment, how)?;
    } else {
        outcome(&mut page, &assessment.findings, frame, exit_code)?;
        findings(&mut page, &assessment.findings, view.all)?;
        keys(&mut page, assessment, view.all)?;
    }
    Ok(Audit {
        page,
        assessment,
        view,
        worst: Worst::new((!view.all).then_some(ROWS)),
    })
}

impl Audit<'_> {
    pub(in crate::report) fn row(&mut self, row: &SnapshotVerdict) {
        self.worst.row(row);
    }

    pub(in crate::report) fn finish(mut self) -> io::Result<()> {
        if self.view.summary {
            return self.page.finish();
        }
        let summary = &self.assessment.summary;
        let counts = Restorability::ALL.map(|verdict| (summary.snapshots(verdict), verdict.word()));
        self.page
            .heading(&words::counted("Snapshots, worst first", &counts))?;
        let (rows, left_out) = self.worst.into_rows();
        for chunk in rows.chunks(CHUNK) {
            let grid = snapshot_grid(&self.page, chunk);
            self.page.grid(grid)?;
        }
        self.page.more(left_out, "--all lists them")?;
        self.page.assumptions(&self.assessment.assumptions)?;
        self.page.roots(&self.assessment.roots)?;
        self.page.finish()
    }
}

/// The first line: how it went, in the words of the exit code that was settled before.
pub(super) fn outcome(
    page: &mut Page<'_>,
    findings: &[Finding],
    frame: Frame<'_>,
    exit_code: u8,
) -> io::Result<()> {
    let (tone, text) = words::outcome(findings, frame.historical, exit_code);
    let as_of = frame.as_of;
    page.line(
        tone,
        &format!("{text} (as of {as_of}, exit code {exit_code})"),
    )
}

pub(super) fn findings(page: &mut Page<'_>, findings: &[Finding], all: bool) -> io::Result<()> {
    let shown: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.level != Level::Allow)
        .collect();
    if !shown.is_empty() {
        page.heading("What needs action")?;
    }
    let mut grid = Grid::new(vec![Column::Rigid("LEVEL"), Column::Elastic("FINDING")]);
    for group in shown.chunk_by(|a, b| (a.level, a.code) == (b.level, b.code)) {
        let Some(first) = group.first() else {
            continue;
        };
        let tone = match first.level {
            Level::Deny => Tone::Bad,
            Level::Warn => Tone::Doubtful,
            Level::Allow => Tone::Plain,
        };
        let listed = if all { group.len() } else { EXAMPLES };
        let mut lines = vec![format!(
            "{} ({}): {}",
            first.code,
            group.len(),
            first.code.about()
        )];
        lines.extend(
            group
                .iter()
                .take(listed)
                .map(|finding| format!("- {}: {}", finding.subject, finding.message)),
        );
        if group.len() > listed {
            lines.push(format!(
                "and {} more (--all lists them)",
                group.len() - listed
            ));
        }
        grid.row(vec![
            Cell::new(first.level.word()).tone(tone),
            Cell::lines(lines.iter().map(String::as_str)),
        ]);
    }
    if !shown.is_empty() {
        page.grid(grid)?;
    }
    let waived = findings.iter().filter(|f| f.waived.is_some()).count();
    let allowed = findings.len() - shown.len() - waived;
    if allowed > 0 {
        let allowed = number(allowed, "finding", "findings");
        page.line(Tone::Plain, &format!("{allowed} allowed by the policy"))?;
    }
    if waived > 0 {
        waivers(page, findings, all)?;
    }
    Ok(())
}

/// What is put up with stays in sight.
fn waivers(page: &mut Page<'_>, findings: &[Finding], all: bool) -> io::Result<()> {
    page.heading("Waived")?;
    let mut grid = Grid::new(vec![Column::Rigid("UNTIL"), Column::Elastic("FINDING")]);
    let waived = findings
        .iter()
        .filter_map(|finding| Some((finding, finding.waived.as_ref()?)));
    let listed = if all { usize::MAX } else { ROWS };
    let n_waived = waived.clone().count();
    for (finding, waived) in waived.take(listed) {
        let told = format!("{} {}: {}", finding.code, finding.subject, finding.message);
        let why = format!("waived: {}", waived.reason);
        grid.row(vec![
            Cell::new(&waived.until.to_string()),
            Cell::lines([told.as_str(), why.as_str()]),
        ]);
    }
    page.grid(grid)?;
    page.more(n_waived.saturating_sub(listed), "--all lists them")
}

fn keys(page: &mut Page<'_>, assessment: &Assessment, all: bool) -> io::Result<()> {
    let counts =
        Deletability::ALL.map(|verdict| (assessment.summary.keys(verdict), verdict.word()));
    page.heading(&words::counted("Keys, worst first", &counts))?;
    let mut rows = worst::keys(&assessment.keys);
    let listed = if all { rows.len() } else { ROWS };
    let more = rows.len().saturating_sub(listed);
    rows.truncate(listed);
    for chunk in rows.chunks(CHUNK) {
        let grid = key_grid(page, chunk);
        page.grid(grid)?;
    }
    page.more(more, "--all lists them")
}
