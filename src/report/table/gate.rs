//! The table of `gate`: how it went, what stands in the way, then what was asked key by key. Of a
//! whole estate, one screen.

use std::io::{self, Write};

use super::audit::{findings, outcome};
use super::brief::brief;
use super::page::{Cell, Column, Grid, Page};
use crate::model::gate::Answer;
use crate::report::words::{self, Tone};
use crate::report::{Conclusion, Layout};

pub(in crate::report) fn gate(
    conclusion: &Conclusion<'_>,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(layout, out);
    let (told, frame, exit_code) = (conclusion.findings, conclusion.frame, conclusion.exit_code);
    if let Some(estate) = conclusion.estate.filter(|_| !conclusion.asked) {
        let how = "`snapkey audit --no-probe`";
        brief(&mut page, told, frame, exit_code, estate, how)?;
        return page.finish();
    }
    outcome(&mut page, told, frame, exit_code)?;
    findings(&mut page, told, true)?;
    answers(&mut page, conclusion.answers)?;
    page.assumptions(conclusion.frame.assumptions)?;
    page.roots(conclusion.frame.roots)?;
    page.finish()
}

fn answers(page: &mut Page<'_>, answers: &[Answer]) -> io::Result<()> {
    if answers.is_empty() {
        return page.line(Tone::Plain, "the plan does nothing to a key");
    }
    page.heading("What was asked")?;
    let mut grid = Grid::new(vec![
        Column::Rigid("VERDICT"),
        Column::Rigid("ACTION"),
        Column::Elastic("KEY"),
    ]);
    for answer in answers {
        let tone = match answer.exit_code {
            0 => Tone::Good,
            1 => Tone::Bad,
            _undecided => Tone::Doubtful,
        };
        let mut lines = vec![answer.key.clone().unwrap_or_else(|| "not known".to_owned())];
        lines.extend(answer.to.as_ref().map(|to| format!("to {to}")));
        lines.extend(answer.address.as_ref().map(|at| format!("by {at}")));
        lines.extend(words::safe_after(answer.safe_after));
        lines.extend(words::doubts(answer.doubts.iter().copied()));
        lines.extend(answer.details.iter().cloned());
        grid.row(vec![
            Cell::new(answer.verdict).tone(tone),
            Cell::new(answer.action.word()),
            Cell::lines(lines.iter().map(String::as_str)),
        ]);
    }
    page.grid(grid)
}
