//! The table of `audit`: what needs action, then keys, then snapshots, each worst first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use super::lists::{key_grid, snapshot_grid};
use super::page::{Cell, Column, Grid, Page};
use crate::model::evidence::Condition;
use crate::model::verdict::{
    Assessment, Deletability, Finding, KeyRow, Level, Restorability, SnapshotVerdict,
};
use crate::report::words::{Tone, number};
use crate::report::{AuditView, Layout};

/// Rows of a list without `--all`.
const ROWS: usize = 50;
/// Findings of one code without `--all`.
const EXAMPLES: usize = 3;
/// Rows of one grid: its columns are as wide as its widest row, so all rows are held until then.
const CHUNK: usize = 1_000;

/// Takes snapshots and keeps the worst; without `--all` never more than [`ROWS`].
pub(in crate::report) struct Audit<'a> {
    page: Page<'a>,
    assessment: &'a Assessment,
    view: AuditView,
    worst: BinaryHeap<Worst>,
    n_rows: usize,
}

/// A row in a heap whose top is the best of the worst.
struct Worst(SnapshotVerdict);

/// Worst first, then contract order.
fn compare(a: &SnapshotVerdict, b: &SnapshotVerdict) -> Ordering {
    let place = |row: &SnapshotVerdict| row.verdict;
    place(a)
        .cmp(&place(b))
        .then_with(|| a.project.cmp(&b.project))
        .then_with(|| a.cluster.cmp(&b.cluster))
        .then_with(|| a.id.cmp(&b.id))
}

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Worst {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Worst {}

/// Prints all but the snapshots.
pub(in crate::report) fn audit<'a>(
    assessment: &'a Assessment,
    exit_code: u8,
    view: AuditView,
    layout: Layout,
    out: &'a mut dyn Write,
) -> io::Result<Audit<'a>> {
    let mut page = Page::new(layout, out);
    outcome(&mut page, assessment, exit_code)?;
    findings(&mut page, &assessment.findings, view.all)?;
    keys(&mut page, assessment, view.all)?;
    Ok(Audit {
        page,
        assessment,
        view,
        worst: BinaryHeap::new(),
        n_rows: 0,
    })
}

impl Audit<'_> {
    pub(in crate::report) fn row(&mut self, row: &SnapshotVerdict) {
        self.n_rows += 1;
        let full = !self.view.all && self.worst.len() >= ROWS;
        if full
            && self
                .worst
                .peek()
                .is_some_and(|best| compare(row, &best.0) != Ordering::Less)
        {
            return;
        }
        self.worst.push(Worst(row.clone()));
        if full {
            self.worst.pop();
        }
    }

    pub(in crate::report) fn finish(mut self) -> io::Result<()> {
        let summary = &self.assessment.summary;
        let counts = Restorability::ALL.map(|verdict| (summary.snapshots(verdict), verdict.word()));
        self.page
            .heading(&counted("Snapshots, worst first", &counts))?;
        let rows: Vec<SnapshotVerdict> = self
            .worst
            .into_sorted_vec()
            .into_iter()
            .map(|worst| worst.0)
            .collect();
        for chunk in rows.chunks(CHUNK) {
            let grid = snapshot_grid(&self.page, chunk);
            self.page.grid(grid)?;
        }
        if self.view.summary {
            self.page
                .line(Tone::Plain, "not listed (without --summary they are)")?;
        }
        self.page
            .more(self.n_rows - rows.len(), "--all lists them")?;
        self.page.assumptions(&self.assessment.assumptions)?;
        self.page.roots(&self.assessment.roots)?;
        self.page.finish()
    }
}

/// The first line: how it went, in the words of the exit code that was settled before.
fn outcome(page: &mut Page<'_>, assessment: &Assessment, exit_code: u8) -> io::Result<()> {
    let denied = assessment
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Deny)
        .count();
    let denied = number(denied, "denied finding", "denied findings");
    let (tone, text) = match exit_code {
        0 => (Tone::Good, "passed: no denied finding".to_owned()),
        1 => (Tone::Bad, format!("failed: {denied}")),
        3 if assessment.historical => (
            Tone::Doubtful,
            format!("undecided: {denied}; the store holds later evidence, which is not seen"),
        ),
        _undecided => (Tone::Doubtful, format!("undecided: {denied}")),
    };
    let as_of = assessment.as_of;
    page.line(
        tone,
        &format!("{text} (as of {as_of}, exit code {exit_code})"),
    )
}

fn findings(page: &mut Page<'_>, findings: &[Finding], all: bool) -> io::Result<()> {
    let shown: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.level != Level::Allow)
        .collect();
    if shown.is_empty() {
        return Ok(());
    }
    page.heading("What needs action")?;
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
    page.grid(grid)?;
    let allowed = findings.len() - shown.len();
    if allowed > 0 {
        let allowed = number(allowed, "finding", "findings");
        page.line(Tone::Plain, &format!("{allowed} allowed by the policy"))?;
    }
    Ok(())
}

fn keys(page: &mut Page<'_>, assessment: &Assessment, all: bool) -> io::Result<()> {
    let counts =
        Deletability::ALL.map(|verdict| (assessment.summary.keys(verdict), verdict.word()));
    page.heading(&counted("Keys, worst first", &counts))?;
    let mut rows: Vec<&KeyRow> = assessment.keys.iter().collect();
    // Stable: keys of one rank stay in contract order.
    rows.sort_by_key(|row| rank(row));
    let listed = if all { rows.len() } else { ROWS };
    let more = rows.len().saturating_sub(listed);
    rows.truncate(listed);
    for chunk in rows.chunks(CHUNK) {
        let grid = key_grid(page, chunk);
        page.grid(grid)?;
    }
    page.more(more, "--all lists them")
}

/// Where a key stands in a list that begins with what somebody should look at. Only the order of
/// the list: the verdicts are settled.
fn rank(row: &KeyRow) -> u8 {
    let (state, verdict) = match row {
        KeyRow::Unresolved { .. } => return 7,
        KeyRow::Resolved(row) => (&row.state, &row.verdict),
    };
    // Nothing hangs on it, whatever its condition.
    if verdict.verdict == Deletability::Safe
        || (verdict.verdict == Deletability::Gone && verdict.lost_snapshots == 0)
    {
        return 12;
    }
    match &state.condition {
        Some(Condition::Destroyed { .. }) => 0,
        Some(Condition::PendingDeletion { .. }) => 1,
        Some(Condition::SoftDeleted { .. }) => 2,
        Some(Condition::MaterialMissing) => 3,
        Some(Condition::Disabled) => 4,
        Some(Condition::Unavailable { .. }) => 5,
        Some(Condition::Unknown { .. }) => 6,
        None | Some(Condition::Transient) => 8,
        Some(Condition::UnwrapOnly { .. }) => 9,
        Some(Condition::Enabled { .. }) if verdict.verdict == Deletability::Unknown => 10,
        Some(Condition::Enabled { .. }) => 11,
    }
}

/// `Keys: 7 (3 held, 4 safe)`
fn counted(title: &str, counts: &[(u64, &str)]) -> String {
    let total: u64 = counts.iter().map(|(count, _)| count).sum();
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if parts.is_empty() {
        format!("{title}: none")
    } else {
        format!("{title}: {total} ({})", parts.join(", "))
    }
}
