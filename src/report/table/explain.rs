//! `probe --explain`: what asking about each key would take.

use std::io::{self, Write};

use super::page::{Cell, Column, Grid, Page};
use crate::report::words::Tone;
use crate::report::{ExplainedKey, Layout};
use Column::{Elastic, Rigid};

pub(in crate::report) fn explain(
    keys: &[ExplainedKey],
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(layout, out);
    for (no, key) in keys.iter().enumerate() {
        if no > 0 {
            page.gap()?;
        }
        page.line(Tone::Plain, &key.subject)?;
        page.line(
            Tone::Plain,
            &format!(
                "asked of {}, with the login of: {}",
                key.endpoint, key.login
            ),
        )?;
        let mut grid = Grid::new(vec![Rigid("CALL"), Elastic("WHEN"), Elastic("NEEDS")]);
        for (call, when, right) in &key.calls {
            grid.row(vec![Cell::new(call), Cell::new(when), Cell::new(right)]);
        }
        page.grid(grid)?;
    }
    page.finish()
}
