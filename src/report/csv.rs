//! The CSV tables: RFC 4180 with CRLF, every cell quoted (some spreadsheets split bare cells at a
//! semicolon), lists joined with `;`, an empty cell for what is unknown.
//!
//! Every text cell is made harmless as `text::cell` says: what a terminal would obey is escaped,
//! what a spreadsheet would compute gets an apostrophe in front. JSON has the texts unchanged.
//!
//! `audit` and `snapshots` write snapshots, one a row, the latter with `obstacles` besides; an audit's findings and keys are in the
//! other formats, and keys also in `keys`. `gate` writes its findings, one a row. `check` writes rows of several kinds, told apart by the
//! column `row`: `verdict`, `detail` (why a rotation is not a pass), `dependant`, `count` (all
//! dependants of a kind, listed or not), `doubt`, `assumption`.

use std::io::{self, Write};

use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};

use super::text::cell;
use super::{Conclusion, DownloadRow, words};
use crate::model::Timestamp;
use crate::model::evidence::Condition;
use crate::model::verdict::{
    Assumption, Deletability, DependantCounts, DependantKind, Doubt, KeyCheck, KeyRow, KeyState,
    ProjectVerdict, ResolvedKey, RotationCheck, SafeAfter, SnapshotVerdict, UnitVerdict, Until,
};

/// A table that is being written.
pub(super) struct Table<'w> {
    writer: Writer<&'w mut dyn Write>,
    /// Snapshots have the column `obstacles`.
    obstacles: bool,
}

impl<'w> Table<'w> {
    fn begin(out: &'w mut dyn Write, header: &[&str]) -> io::Result<Self> {
        let mut table = Self {
            writer: WriterBuilder::new()
                .terminator(Terminator::CRLF)
                .quote_style(QuoteStyle::Always)
                .from_writer(out),
            obstacles: false,
        };
        table.writer.write_record(header).map_err(io::Error::from)?;
        Ok(table)
    }

    fn row(&mut self, cells: &[&str]) -> io::Result<()> {
        for text in cells {
            self.writer
                .write_field(cell(text).as_bytes())
                .map_err(io::Error::from)?;
        }
        let ended = self.writer.write_record(None::<&[u8]>);
        ended.map_err(io::Error::from)
    }

    /// A row of `snapshots`.
    pub(super) fn snapshot(&mut self, row: &SnapshotVerdict) -> io::Result<()> {
        let obstacles = row.obstacles.as_ref().map(|all| words::obstacles(all));
        let obstacles = list(&obstacles.unwrap_or_default());
        let cells: [&str; 11] = [
            &row.project.id,
            &row.cluster,
            &row.id,
            row.verdict.word(),
            &list(&row.keys),
            &list(&row.reasons),
            &list(&row.actions),
            &time(row.deadline),
            &time(row.created_at),
            &time(row.expires_at),
            &obstacles,
        ];
        let (wanted, _) = cells.split_at(cells.len() - usize::from(!self.obstacles));
        self.row(wanted)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

const SNAPSHOTS: [&str; 11] = [
    "project",
    "cluster",
    "id",
    "verdict",
    "keys",
    "reasons",
    "actions",
    "deadline",
    "created_at",
    "expires_at",
    "obstacles",
];

/// Begins the snapshots of an audit.
pub(super) fn audit(out: &mut dyn Write) -> io::Result<Table<'_>> {
    let [of_audit @ .., _obstacles] = &SNAPSHOTS;
    Table::begin(out, of_audit)
}

/// Begins a list of snapshots.
pub(super) fn snapshots(out: &mut dyn Write) -> io::Result<Table<'_>> {
    let table = Table::begin(out, &SNAPSHOTS)?;
    Ok(Table {
        obstacles: true,
        ..table
    })
}

/// The findings of a gate, one a row.
pub(super) fn gate(conclusion: &Conclusion<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::begin(
        out,
        &[
            "level",
            "class",
            "code",
            "subject",
            "message",
            "waived_until",
            "waiver",
        ],
    )?;
    for finding in conclusion.findings {
        let waived = finding.waived.as_ref();
        table.row(&[
            finding.level.word(),
            finding.code.class().word(),
            finding.code.word(),
            &finding.subject,
            &finding.message,
            &time(waived.map(|waived| waived.until)),
            waived.map_or("", |waived| &waived.reason),
        ])?;
    }
    table.finish()
}

pub(super) fn keys<'r>(
    rows: impl IntoIterator<Item = &'r KeyRow>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut header = vec![
        "provider",
        "id",
        "unit",
        "resolved",
        "condition",
        "reason",
        "deadline",
        "observed_at",
        "verdict",
        "safe_after",
        "safe_after_kind",
    ];
    header.extend(DependantKind::ALL.map(DependantKind::word));
    header.push("doubts");
    let mut table = Table::begin(out, &header)?;
    for row in rows {
        match row {
            KeyRow::Resolved(row) => {
                let ResolvedKey {
                    key,
                    state,
                    verdict,
                } = &**row;
                let [condition, reason, deadline, observed_at] = answer(state);
                let mut cells = vec![
                    key.provider().word().to_owned(),
                    key.to_string(),
                    key.unit().to_string(),
                    "true".to_owned(),
                    condition,
                    reason,
                    deadline,
                    observed_at,
                    verdict.verdict.word().to_owned(),
                    time(verdict.safe_after.date()),
                    verdict.safe_after.word().to_owned(),
                ];
                cells.extend(counted(&verdict.counts));
                cells.push(kinds(&verdict.doubts));
                table.row(&borrowed(&cells))?;
            }
            KeyRow::Unresolved {
                provider,
                spelling,
                doubts,
            } => {
                let mut cells = vec![String::new(); 8];
                cells[0] = provider.map_or("", |provider| provider.word()).to_owned();
                cells[1].clone_from(spelling);
                cells[3] = "false".to_owned();
                cells.push(Deletability::Unknown.word().to_owned());
                cells.push(String::new());
                cells.push(SafeAfter::None.word().to_owned());
                cells.extend(counted(&DependantCounts::default()));
                cells.push(kinds(doubts));
                table.row(&borrowed(&cells))?;
            }
        }
    }
    table.finish()
}

pub(super) fn projects<'r>(
    rows: impl IntoIterator<Item = &'r ProjectVerdict>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = Table::begin(out, &["project", "name", "complete", "covered_at", "gaps"])?;
    for row in rows {
        table.row(&[
            &row.project.id,
            row.name.as_deref().unwrap_or_default(),
            if row.complete { "true" } else { "false" },
            &time(row.covered_at),
            &list(&row.gaps),
        ])?;
    }
    table.finish()
}

const CHECK: [&str; 8] = [
    "row", "kind", "match", "project", "cluster", "id", "until", "detail",
];

pub(super) fn check(check: &KeyCheck, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::begin(out, &CHECK)?;
    let safe_after = check.verdict.safe_after;
    table.row(&[
        "verdict",
        check.verdict.verdict.word(),
        "",
        "",
        "",
        &check.key.id,
        &time(safe_after.date()),
        safe_after.word(),
    ])?;
    unit(&mut table, &check.verdict, &check.assumptions)?;
    table.finish()
}

pub(super) fn rotation(check: &RotationCheck, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::begin(out, &CHECK)?;
    table.row(&[
        "verdict",
        check.verdict.word(),
        "",
        "",
        "",
        &check.key.id,
        &time(check.keep_until.date()),
        check.keep_until.word(),
    ])?;
    for reason in &check.reasons {
        table.row(&["detail", "", "", "", "", "", "", reason])?;
    }
    unit(&mut table, &check.old, &check.assumptions)?;
    table.finish()
}

/// The rows that every `check` has.
fn unit(table: &mut Table<'_>, unit: &UnitVerdict, assumptions: &[Assumption]) -> io::Result<()> {
    for dependant in &unit.dependants {
        let until = match dependant.until {
            Until::At(at) => at.to_string(),
            Until::Indefinite => "indefinite".to_owned(),
        };
        table.row(&[
            "dependant",
            dependant.kind.word(),
            words::matching(dependant.certain),
            dependant.project.as_deref().unwrap_or_default(),
            dependant.cluster.as_deref().unwrap_or_default(),
            dependant.id.as_deref().unwrap_or_default(),
            &until,
            "",
        ])?;
    }
    for kind in DependantKind::ALL {
        let count = unit.counts.of(kind).to_string();
        table.row(&["count", kind.word(), "", "", "", "", "", &count])?;
    }
    for doubt in &unit.doubts {
        let project = doubt.project.as_deref().unwrap_or_default();
        table.row(&[
            "doubt",
            doubt.kind.word(),
            "",
            project,
            "",
            "",
            "",
            &doubt.detail,
        ])?;
    }
    for Assumption {
        kind,
        subject,
        stated,
        reason,
    } in assumptions
    {
        let detail = match stated {
            Some(at) => format!("stated {at}: {reason}"),
            None => reason.to_string(),
        };
        table.row(&["assumption", kind, "", "", "", subject, "", &detail])?;
    }
    Ok(())
}

pub(super) fn downloads(rows: &[DownloadRow], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::begin(
        out,
        &[
            "id",
            "project",
            "cluster",
            "snapshot",
            "keys",
            "finished_at",
            "forgotten_at",
            "reason",
        ],
    )?;
    for row in rows {
        table.row(&[
            &row.id,
            row.project.as_deref().unwrap_or_default(),
            row.cluster.as_deref().unwrap_or_default(),
            row.snapshot.as_deref().unwrap_or_default(),
            &list(&row.keys),
            &time(row.finished_at),
            &time(row.forgotten_at),
            row.reason.as_deref().unwrap_or_default(),
        ])?;
    }
    table.finish()
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// Each item is made harmless by itself: it becomes a cell of its own where `;` separates cells.
fn list<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(|item| cell(item.as_ref())).collect();
    items.join(";")
}

fn kinds(doubts: &[Doubt]) -> String {
    let mut kinds: Vec<&str> = doubts.iter().map(|doubt| doubt.kind.word()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.join(";")
}

/// Condition, reason, deadline, time.
fn answer(state: &KeyState) -> [String; 4] {
    let condition = state.condition.as_ref();
    [
        condition.map_or("", Condition::word).to_owned(),
        condition.and_then(Condition::reason).unwrap_or_default(),
        time(condition.and_then(Condition::date)),
        time(state.observed_at),
    ]
}

fn counted(counts: &DependantCounts) -> [String; 8] {
    DependantKind::ALL.map(|kind| counts.of(kind).to_string())
}

fn borrowed(cells: &[String]) -> Vec<&str> {
    cells.iter().map(String::as_str).collect()
}
