//! The table of `check`: the verdict and what to do next, then who holds the key, then why that is
//! not sure, then what it all rests on.

use std::io::{self, Write};

use super::page::{Cell, Column, Grid, Page};
use crate::model::Timestamp;
use crate::model::verdict::{
    CheckedKey, Deletability, Dependant, Doubt, Intent, KeyCheck, RotationCheck, UnitVerdict, Until,
};
use crate::report::Layout;
use crate::report::words::{self, Tone, number};

pub(in crate::report) fn check(
    check: &KeyCheck,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
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
    let mut page = Page::new(layout, out);
    let headline = words::headline(check);
    page.line(headline.tone, &headline.verdict)?;
    page.whole_line(&format!("  {}", key.id))?;
    let mut facts = Facts::default();
    facts.state("state", key);
    facts.times(*as_of, *historical, *covered_at);
    facts.row("next", &headline.next);
    if verdict.verdict != Deletability::Gone {
        facts.row("note", words::intent_note(*intent));
    }
    page.grid(facts.0)?;
    unit(&mut page, verdict)?;
    page.assumptions(assumptions)?;
    page.roots(roots)?;
    page.finish()
}

pub(in crate::report) fn rotation(
    check: &RotationCheck,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let RotationCheck {
        as_of,
        historical,
        covered_at,
        verdict: _,
        reasons,
        key,
        to,
        keep_until: _,
        old,
        assumptions,
        roots,
    } = check;
    let mut page = Page::new(layout, out);
    let headline = words::rotation_headline(check);
    page.line(headline.tone, &headline.verdict)?;
    page.whole_line(&format!("  from {}", key.id))?;
    if let Some(to) = to {
        page.whole_line(&format!("  to   {}", to.id))?;
    }
    let mut facts = Facts::default();
    for reason in reasons {
        facts.row("because", reason);
    }
    facts.state("from", key);
    if let Some(to) = to {
        facts.state("to", to);
    }
    facts.times(*as_of, *historical, *covered_at);
    facts.row("next", &headline.next);
    facts.row("note", words::intent_note(Intent::Rotate));
    page.grid(facts.0)?;
    unit(&mut page, old)?;
    page.assumptions(assumptions)?;
    page.roots(roots)?;
    page.finish()
}

/// Names and values under the verdict.
struct Facts(Grid);

impl Default for Facts {
    fn default() -> Self {
        Self(Grid::without_header())
    }
}

impl Facts {
    fn row(&mut self, name: &str, value: &str) {
        self.0
            .row(vec![Cell::new(""), Cell::new(name), Cell::new(value)]);
    }

    fn state(&mut self, name: &str, key: &CheckedKey) {
        let condition = words::condition(&key.state);
        match key.state.observed_at {
            Some(at) => self.row(name, &format!("{condition} (asked at {at})")),
            None => self.row(name, &condition),
        }
        if key.unit != key.id {
            self.row("", &format!("part of {}, which goes as a whole", key.unit));
        }
    }

    fn times(&mut self, as_of: Timestamp, historical: bool, covered_at: Option<Timestamp>) {
        let later = if historical {
            "; the store holds later evidence, which is not seen"
        } else {
            ""
        };
        self.row("as of", &format!("{as_of}{later}"));
        match covered_at {
            Some(at) => self.row(
                "inventory",
                &format!("whole up to {at}; nothing later is seen"),
            ),
            None => self.row("inventory", "not complete"),
        }
    }
}

fn unit(page: &mut Page<'_>, unit: &UnitVerdict) -> io::Result<()> {
    dependants(page, unit)?;
    doubts(page, &unit.doubts)
}

fn dependants(page: &mut Page<'_>, unit: &UnitVerdict) -> io::Result<()> {
    let total = unit.counts.total();
    if total == 0 {
        return Ok(());
    }
    page.heading(&format!("Needed by {}", unit.counts))?;
    let maybe = unit.dependants.iter().any(|dependant| !dependant.certain);
    let mut places = page.shortener(12, 48);
    for dependant in &unit.dependants {
        for place in [&dependant.project, &dependant.cluster]
            .into_iter()
            .flatten()
        {
            places.note(place);
        }
    }
    let narrow = page.is_narrow();
    let mut header = vec![Column::Rigid(""), Column::Rigid("WHAT")];
    if narrow {
        header.push(Column::Elastic("WHERE"));
    } else {
        header.extend(["PROJECT", "CLUSTER", "ID"].map(Column::Elastic));
    }
    header.push(Column::Rigid("UNTIL"));
    if maybe {
        header.push(Column::Rigid("MATCH"));
    }
    let mut grid = Grid::new(header);
    for dependant in &unit.dependants {
        let Dependant {
            kind,
            project,
            cluster,
            id,
            until,
            certain,
        } = dependant;
        let short = |place: &Option<String>| place.as_deref().map(|place| places.short(place));
        let (project, cluster) = (short(project), short(cluster));
        let id = id.as_deref().unwrap_or_default();
        let until = match until {
            Until::At(at) => at.to_string(),
            Until::Indefinite => "indefinite".to_owned(),
        };
        let mut cells = vec![Cell::new(""), Cell::new(kind.word())];
        if narrow {
            let place: Vec<String> = project.into_iter().chain(cluster).collect();
            let place = place.join("/");
            let lines = [place.as_str(), id]
                .into_iter()
                .filter(|line| !line.is_empty());
            cells.push(Cell::lines(lines));
        } else {
            cells.push(Cell::new(&project.unwrap_or_default()));
            cells.push(Cell::new(&cluster.unwrap_or_default()));
            cells.push(Cell::new(id));
        }
        cells.push(Cell::new(&until));
        if maybe {
            cells.push(Cell::new(words::matching(*certain)));
        }
        grid.row(cells);
    }
    page.grid(grid)?;
    let listed = u64::try_from(unit.dependants.len()).unwrap_or(u64::MAX);
    let left_out = total.saturating_sub(listed);
    if left_out > 0 {
        page.line(
            Tone::Plain,
            &format!("  and {left_out} more (--limit lists more)"),
        )?;
    }
    Ok(())
}

/// Doubts of a kind share one hint.
fn doubts(page: &mut Page<'_>, doubts: &[Doubt]) -> io::Result<()> {
    if doubts.is_empty() {
        return Ok(());
    }
    page.heading(&format!(
        "Not known: {}",
        number(doubts.len(), "doubt", "doubts")
    ))?;
    let mut grid = Grid::without_header();
    for group in doubts.chunk_by(|a, b| a.kind == b.kind) {
        let Some(first) = group.first() else {
            continue;
        };
        let mut lines: Vec<String> = group
            .iter()
            .map(|doubt| match &doubt.project {
                Some(project) => format!("{project}: {}", doubt.detail),
                None => doubt.detail.clone(),
            })
            .collect();
        lines.push(format!("hint: {}", words::doubt_hint(first.kind)));
        grid.row(vec![
            Cell::new(""),
            Cell::new(first.kind.word()).tone(Tone::Doubtful),
            Cell::lines(lines.iter().map(String::as_str)),
        ]);
    }
    page.grid(grid)
}
