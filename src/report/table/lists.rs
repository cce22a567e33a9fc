//! The tables of lists: snapshots, keys, projects, downloads, and what `probe` and `ingest` did.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::page::{Cell, Column, Grid, Page};
use crate::model::evidence::{Condition, Observation};
use crate::model::verdict::{KeyRow, KeyState, Obstacle, ProjectVerdict, SnapshotVerdict};
use crate::model::{LastUse, Timestamp};
use crate::report::words::{self, Tone, number};
use crate::report::{DownloadRow, Frame, IngestReport, Layout, ProbeReport};
use Column::{Elastic, Rigid};

/// Sentences about obstacles; beyond them a table is no place to read.
const SENTENCES: usize = 30;
/// Rows of one grid: its columns are as wide as its widest row, so all rows are held until then.
const CHUNK: usize = 500;

/// A list of snapshots that is printed a chunk at a time.
pub(in crate::report) struct Snapshots<'a> {
    page: Page<'a>,
    frame: Frame<'a>,
    waiting: Vec<SnapshotVerdict>,
    n_rows: usize,
    /// The cluster that the rows might go to.
    restore_to: Option<&'a str>,
    /// What keeps them from it, each sentence once.
    sentences: BTreeSet<Obstacle>,
    more_sentences: bool,
}

pub(in crate::report) fn snapshots<'a>(
    frame: Frame<'a>,
    restore_to: Option<&'a str>,
    layout: Layout,
    out: &'a mut dyn Write,
) -> Snapshots<'a> {
    Snapshots {
        page: Page::new(layout, out),
        frame,
        waiting: Vec::new(),
        n_rows: 0,
        restore_to,
        sentences: BTreeSet::new(),
        more_sentences: false,
    }
}

impl Snapshots<'_> {
    pub(in crate::report) fn row(&mut self, row: &SnapshotVerdict) -> io::Result<()> {
        self.n_rows += 1;
        self.note_obstacles(row);
        self.waiting.push(row.clone());
        if self.waiting.len() >= CHUNK {
            self.print()?;
        }
        Ok(())
    }

    pub(in crate::report) fn finish(mut self) -> io::Result<()> {
        self.print()?;
        none(&mut self.page, self.n_rows, "snapshot")?;
        self.obstacles()?;
        frame(&mut self.page, self.frame)?;
        self.page.finish()
    }

    /// Rows share most of them: a target that is too small is so for all.
    fn note_obstacles(&mut self, row: &SnapshotVerdict) {
        for obstacle in row.obstacles.iter().flatten() {
            if self.sentences.contains(obstacle) {
                continue;
            }
            if self.sentences.len() < SENTENCES {
                self.sentences.insert(obstacle.clone());
            } else {
                self.more_sentences = true;
            }
        }
    }

    fn obstacles(&mut self) -> io::Result<()> {
        let Some(target) = self.restore_to.filter(|_| !self.sentences.is_empty()) else {
            return Ok(());
        };
        let title = format!("What stands in the way of a restore to {target}");
        self.page.heading(&title)?;
        let mut grid = Grid::without_header();
        for obstacle in &self.sentences {
            let (tone, cannot_tell) = if obstacle.known {
                (Tone::Bad, "")
            } else {
                (Tone::Doubtful, "cannot tell: ")
            };
            grid.row(vec![
                Cell::new(""),
                Cell::new(obstacle.kind.word()).tone(tone),
                Cell::new(&format!("{cannot_tell}{}", obstacle.detail)),
            ]);
        }
        self.page.grid(grid)?;
        if self.more_sentences {
            let more = "and more (`--format json` has the obstacles of every snapshot)";
            self.page.line(Tone::Plain, more)?;
        }
        Ok(())
    }

    fn print(&mut self) -> io::Result<()> {
        let grid = snapshot_grid(&self.page, &self.waiting);
        self.waiting.clear();
        self.page.grid(grid)
    }
}

/// An empty list says so: silence could be a failure.
fn none(page: &mut Page<'_>, n_rows: usize, what: &str) -> io::Result<()> {
    if n_rows > 0 {
        return Ok(());
    }
    page.line(Tone::Plain, &format!("no {what}"))
}

/// What stands under every list: whether it is the newest, and what it takes on trust.
fn frame(page: &mut Page<'_>, frame: Frame<'_>) -> io::Result<()> {
    if frame.historical {
        page.gap()?;
        page.line(
            Tone::Doubtful,
            &format!(
                "as of {}: the store holds later evidence, which is not seen",
                frame.as_of
            ),
        )?;
    }
    page.assumptions(frame.assumptions)
}

pub(super) fn snapshot_grid(page: &Page<'_>, rows: &[SnapshotVerdict]) -> Grid {
    let mut places = page.shortener(12, 24);
    let mut ids = page.shortener(24, 36);
    let mut keys = page.shortener(26, 36);
    for row in rows {
        ids.note(&row.id);
        places.note(&row.project.id);
        places.note(&row.cluster);
        for key in &row.keys {
            keys.note(key);
        }
    }
    let narrow = page.is_narrow();
    let to_somewhere = rows.iter().any(|row| row.obstacles.is_some());
    let mut grid = Grid::new(if narrow {
        vec![
            Rigid("VERDICT"),
            Rigid("SNAPSHOT"),
            Elastic("WHY, AND UNDER WHICH KEY"),
            Rigid("EXPIRES"),
        ]
    } else {
        vec![
            Rigid("VERDICT"),
            Rigid("PROJECT"),
            Rigid("CLUSTER"),
            Rigid("SNAPSHOT"),
            Elastic("KEY"),
            Elastic("WHY"),
            Rigid("EXPIRES"),
        ]
        .into_iter()
        .chain(to_somewhere.then_some(Elastic("OBSTACLES")))
        .collect()
    });
    for row in rows {
        let verdict = Cell::new(row.verdict.word()).tone(words::restorability_tone(row.verdict));
        let project = places.short(&row.project.id);
        let cluster = places.short(&row.cluster);
        let id = ids.short(&row.id);
        let under: Vec<String> = row.keys.iter().map(|key| keys.short(key)).collect();
        let why = words::why(row);
        let obstacles = row.obstacles.as_ref();
        let obstacles = obstacles.map(|all| words::obstacles(all).join(", "));
        let expires = row.expires_at.map(|at| at.to_string()).unwrap_or_default();
        if narrow {
            let mut lines = vec![why];
            lines.extend(under);
            lines.extend(obstacles.map(|all| format!("obstacles: {all}")));
            lines.retain(|line| !line.is_empty());
            // The day is enough where there is no room.
            let day = expires.split('T').next().unwrap_or_default();
            grid.row(vec![
                verdict,
                Cell::lines([format!("{project}/{cluster}").as_str(), &id]),
                Cell::lines(lines.iter().map(String::as_str)),
                Cell::new(day),
            ]);
        } else {
            let mut cells = vec![
                verdict,
                Cell::new(&project),
                Cell::new(&cluster),
                Cell::new(&id),
                Cell::new(&under.join(", ")),
                Cell::new(&why),
                Cell::new(&expires),
            ];
            cells.extend(obstacles.map(|all| Cell::new(&all)));
            grid.row(cells);
        }
    }
    grid
}

pub(in crate::report) fn keys<'r>(
    list: Frame<'_>,
    rows: impl IntoIterator<Item = &'r KeyRow>,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(layout, out);
    let rows: Vec<&KeyRow> = rows.into_iter().collect();
    for chunk in rows.chunks(CHUNK) {
        let grid = key_grid(&page, chunk);
        page.grid(grid)?;
    }
    none(&mut page, rows.len(), "key")?;
    frame(&mut page, list)?;
    page.finish()
}

pub(super) fn key_grid(page: &Page<'_>, rows: &[&KeyRow]) -> Grid {
    let mut ids = page.shortener(26, 80);
    for row in rows {
        ids.note(&words::key_id(row));
    }
    let narrow = page.is_narrow();
    let mut grid = Grid::new(if narrow {
        vec![
            Rigid("VERDICT"),
            Rigid("KEY"),
            Elastic("CONDITION, AND WHY"),
        ]
    } else {
        vec![
            Rigid("VERDICT"),
            Rigid("KEY"),
            Rigid("CONDITION"),
            Elastic("WHY"),
        ]
    });
    for row in rows {
        let (verdict, condition, why) = words::key_told(row);
        let mut cells = vec![
            Cell::new(verdict.word()).tone(words::deletability_tone(verdict)),
            Cell::new(&ids.short(&words::key_id(row))),
        ];
        if narrow {
            cells.push(Cell::lines([condition.as_str(), why.as_str()]));
        } else {
            cells.extend([Cell::new(&condition), Cell::new(&why)]);
        }
        grid.row(cells);
    }
    grid
}

pub(in crate::report) fn projects<'r>(
    list: Frame<'_>,
    rows: impl IntoIterator<Item = &'r ProjectVerdict>,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(layout, out);
    let narrow = page.is_narrow();
    let mut grid = Grid::new(if narrow {
        vec![Rigid("INVENTORY"), Rigid("PROJECT"), Elastic("MISSING")]
    } else {
        vec![
            Rigid("INVENTORY"),
            Rigid("READ AT"),
            Rigid("PROJECT"),
            Elastic("NAME"),
            Elastic("MISSING"),
        ]
    });
    let mut n_rows = 0;
    for row in rows {
        n_rows += 1;
        let (word, tone) = if row.complete {
            ("complete", Tone::Good)
        } else {
            ("incomplete", Tone::Doubtful)
        };
        let name = row.name.as_deref().unwrap_or_default();
        let read_at = time(row.covered_at);
        let missing = Cell::lines(row.gaps.iter().map(String::as_str));
        grid.row(if narrow {
            vec![
                Cell::lines([word, read_at.as_str()]).tone(tone),
                Cell::lines([row.project.id.as_str(), name]),
                missing,
            ]
        } else {
            vec![
                Cell::new(word).tone(tone),
                Cell::new(&read_at),
                Cell::new(&row.project.id),
                Cell::new(name),
                missing,
            ]
        });
    }
    page.grid(grid)?;
    none(&mut page, n_rows, "project")?;
    frame(&mut page, list)?;
    page.finish()
}

pub(in crate::report) fn downloads(
    rows: &[DownloadRow],
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(layout, out);
    let mut keys = page.shortener(26, 40);
    for key in rows.iter().flat_map(|row| &row.keys) {
        keys.note(key);
    }
    let mut grid = Grid::new(vec![
        Rigid("ID"),
        Elastic("SNAPSHOT"),
        Elastic("KEY"),
        Elastic("WHEN"),
    ]);
    for row in rows {
        let place: Vec<&str> = [&row.project, &row.cluster, &row.snapshot]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let under: Vec<String> = row.keys.iter().map(|key| keys.short(key)).collect();
        let finished = row.finished_at.map(|at| format!("finished {at}"));
        let reason = row.reason.as_deref().unwrap_or("no reason kept");
        let forgotten = row
            .forgotten_at
            .map(|at| format!("forgotten {at}: {reason}"));
        let when: Vec<String> = finished.into_iter().chain(forgotten).collect();
        grid.row(vec![
            Cell::new(&row.id),
            Cell::new(&place.join("/")),
            Cell::lines(under.iter().map(String::as_str)),
            Cell::lines(when.iter().map(String::as_str)),
        ]);
    }
    page.grid(grid)?;
    none(&mut page, rows.len(), "download")?;
    page.finish()
}

pub(in crate::report) fn probe(
    report: &ProbeReport<'_>,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let ProbeReport {
        as_of: _,
        exit_code: _,
        observations,
        unresolved,
        still_fresh,
        not_asked,
        // On stderr, where nobody can take them for answers.
        causes: _,
        last_uses,
    } = report;
    let mut page = Page::new(layout, out);
    let unsettled = observations
        .iter()
        .filter(|observation| !observation.condition.is_definite())
        .count();
    page.line(
        if unsettled + not_asked.len() > 0 {
            Tone::Doubtful
        } else {
            Tone::Good
        },
        &format!(
            "{} answered, {unsettled} of them not definite; {} not asked; {still_fresh} still \
             fresh; {} not complete enough to ask about",
            number(observations.len(), "key", "keys"),
            not_asked.len(),
            number(unresolved.len(), "id", "ids"),
        ),
    )?;
    let mut ids = page.shortener(26, 80);
    for observation in *observations {
        ids.note(&observation.key.to_string());
    }
    if !observations.is_empty() {
        page.gap()?;
        let mut rows: Vec<&Observation> = observations.iter().collect();
        // What settles nothing first.
        rows.sort_by_key(|observation| observation.condition.is_definite());
        let mut grid = Grid::new(vec![
            Rigid("CONDITION"),
            Rigid("KEY"),
            Elastic("WHO SAID WHAT"),
        ]);
        for observation in rows {
            let state = KeyState {
                condition: Some(observation.condition.clone()),
                native: observation.native.clone(),
                observed_at: Some(observation.at),
                fresh: true,
            };
            let tone = if observation.condition.is_definite() {
                Tone::Plain
            } else {
                Tone::Doubtful
            };
            grid.row(vec![
                Cell::new(&words::condition(&state)).tone(tone),
                Cell::new(&ids.short(&observation.key.to_string())),
                Cell::new(&who_said_what(observation)),
            ]);
        }
        page.grid(grid)?;
    }
    plain_list(&mut page, "Not asked", not_asked)?;
    plain_list(&mut page, "Not complete enough to ask about", unresolved)?;
    let last_uses: Vec<String> = last_uses.iter().map(last_use).collect();
    plain_list(
        &mut page,
        "Last used (says nothing of what a key is needed for)",
        &last_uses,
    )?;
    page.finish()
}

fn last_use(told: &LastUse) -> String {
    let LastUse {
        key,
        operation,
        at,
        tracked_since,
    } = told;
    let since = match tracked_since {
        Some(since) => format!("recorded since {since}"),
        None => "nobody says since when that is recorded".to_owned(),
    };
    match (at, operation) {
        (Some(at), Some(operation)) => format!("{key}: {at}, {operation} ({since})"),
        (Some(at), None) => format!("{key}: {at} ({since})"),
        (None, _) => format!("{key}: no use on record ({since})"),
    }
}

/// The service's own word, where it was said, and why it settles nothing.
fn who_said_what(observation: &Observation) -> String {
    let mut text = match &observation.native {
        Some(native) => format!("{native}, from {}", observation.endpoint),
        None => format!("from {}", observation.endpoint),
    };
    if let Condition::Unknown {
        reason: _,
        detail: Some(detail),
    } = &observation.condition
    {
        text.push_str(": ");
        text.push_str(detail);
    }
    text
}

pub(in crate::report) fn ingest(
    report: &IngestReport<'_>,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let IngestReport {
        as_of: _,
        exit_code: _,
        unchanged,
        files,
        snapshots,
        readings,
        observations,
        not_needed,
        rejects,
        gaps,
    } = report;
    let mut page = Page::new(layout, out);
    let read = format!(
        "read {}: {}, {}, {}",
        number(*files, "file", "files"),
        number(*snapshots, "snapshot", "snapshots"),
        number(*readings, "reading", "readings"),
        number(*observations, "key answer", "key answers"),
    );
    page.line(
        if rejects.is_empty() && gaps.is_empty() {
            Tone::Good
        } else {
            Tone::Doubtful
        },
        &read,
    )?;
    if *unchanged {
        page.line(Tone::Plain, "all of it was in the store already")?;
    }
    if *not_needed > 0 {
        let answers = number(*not_needed, "answer", "answers");
        page.line(
            Tone::Plain,
            &format!("{answers} of kinds that are not needed"),
        )?;
    }
    // Which ones, and why, is on stderr.
    if !rejects.is_empty() {
        let records = number(rejects.len(), "record was", "records were");
        page.line(
            Tone::Doubtful,
            &format!("{records} not read, the rest was kept"),
        )?;
    }
    if !gaps.is_empty() {
        let gaps = number(gaps.len(), "gap", "gaps");
        page.line(
            Tone::Doubtful,
            &format!("{gaps}: the inventory is not complete"),
        )?;
    }
    page.finish()
}

fn plain_list(page: &mut Page<'_>, title: &str, items: &[String]) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    page.heading(title)?;
    let mut grid = Grid::without_header();
    for item in items {
        grid.row(vec![Cell::new(""), Cell::new(item)]);
    }
    page.grid(grid)
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}
