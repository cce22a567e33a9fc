//! Documents that snapshots stream into: begun with all but the snapshots, then handed one row after
//! the other, as often as the format wants, then ended.

use std::io::{self, Write};

use super::{
    AuditView, Conclusion, Format, Frame, Layout, Style, cbom, csv, github, json, junit, markdown,
    no_such_format, prometheus, sarif, table,
};
use crate::model::verdict::{Assessment, SnapshotVerdict};

/// Takes the snapshot rows of a report one by one, in contract order, and ends it.
pub struct SnapshotRows<'a> {
    rows: Rows<'a>,
    /// A summary takes rows and drops them: they were counted before.
    listed: bool,
}

enum Rows<'a> {
    Audit(table::Audit<'a>),
    Table(table::Snapshots<'a>),
    Json(json::Snapshots<'a>),
    Csv(Box<csv::Table<'a>>),
    Markdown(markdown::Document<'a>),
    Cbom(cbom::Document<'a>),
    /// The format has no snapshots, and its document is written.
    Written,
}

impl SnapshotRows<'_> {
    /// How often all rows are to be handed in, from the first to the last.
    pub fn passes(&self) -> u8 {
        match &self.rows {
            Rows::Written => 0,
            Rows::Audit(_) | Rows::Table(_) | Rows::Json(_) | Rows::Csv(_) => u8::from(self.listed),
            Rows::Markdown(document) => document.passes(),
            Rows::Cbom(_) => 2 * u8::from(self.listed),
        }
    }

    /// All rows of a pass were handed in.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn pass_ended(&mut self) -> io::Result<()> {
        match &mut self.rows {
            Rows::Cbom(document) => document.pass_ended(),
            Rows::Markdown(document) => {
                document.pass_ended();
                Ok(())
            }
            Rows::Audit(_) | Rows::Table(_) | Rows::Json(_) | Rows::Csv(_) | Rows::Written => {
                Ok(())
            }
        }
    }

    pub fn row(&mut self, row: &SnapshotVerdict) -> io::Result<()> {
        if !self.listed {
            return Ok(());
        }
        match &mut self.rows {
            Rows::Audit(table) => {
                table.row(row);
                Ok(())
            }
            Rows::Table(table) => table.row(row),
            Rows::Json(document) => document.row(row),
            Rows::Csv(table) => table.snapshot(row),
            Rows::Markdown(document) => document.row(row),
            Rows::Cbom(document) => document.row(row),
            Rows::Written => Ok(()),
        }
    }

    /// Ends the report. Without this call it is cut short.
    pub fn finish(self) -> io::Result<()> {
        match self.rows {
            Rows::Audit(table) => table.finish(),
            Rows::Table(table) => table.finish(),
            Rows::Json(document) => document.finish(),
            Rows::Csv(table) => table.finish(),
            Rows::Markdown(document) => document.finish(),
            Rows::Cbom(document) => document.finish(),
            Rows::Written => Ok(()),
        }
    }
}

/// Begins `audit` and `report`: all but the snapshots.
pub fn audit<'a>(
    style: Style,
    assessment: &'a Assessment,
    conclusion: Conclusion<'a>,
    view: AuditView,
    layout: Layout,
    out: &'a mut dyn Write,
) -> io::Result<SnapshotRows<'a>> {
    let exit_code = conclusion.exit_code;
    let rows = match style {
        Style::Plain(Format::Table) => {
            Rows::Audit(table::audit(assessment, exit_code, view, layout, out)?)
        }
        Style::Plain(Format::Json) => Rows::Json(json::audit(assessment, exit_code, view, out)?),
        Style::Plain(Format::Csv) => Rows::Csv(Box::new(csv::audit(out)?)),
        Style::Markdown
        | Style::Sarif
        | Style::Junit
        | Style::Github
        | Style::Prometheus
        | Style::Cbom => concluded(style, conclusion, view, out)?,
    };
    Ok(SnapshotRows {
        rows,
        listed: !view.summary,
    })
}

/// Begins `gate`; its tables, JSON and CSV list no snapshots.
pub fn gate<'a>(
    style: Style,
    conclusion: Conclusion<'a>,
    layout: Layout,
    out: &'a mut dyn Write,
) -> io::Result<SnapshotRows<'a>> {
    let rows = match style {
        Style::Plain(format) => {
            match format {
                Format::Table => table::gate(&conclusion, layout, out)?,
                Format::Json => json::gate(&conclusion, out)?,
                Format::Csv => csv::gate(&conclusion, out)?,
            }
            Rows::Written
        }
        Style::Markdown
        | Style::Sarif
        | Style::Junit
        | Style::Github
        | Style::Prometheus
        | Style::Cbom => concluded(style, conclusion, AuditView::default(), out)?,
    };
    Ok(SnapshotRows { rows, listed: true })
}

/// The formats that are the same for `audit`, `gate` and `report`.
fn concluded<'a>(
    style: Style,
    conclusion: Conclusion<'a>,
    view: AuditView,
    out: &'a mut dyn Write,
) -> io::Result<Rows<'a>> {
    Ok(match style {
        Style::Plain(_) => return Err(no_such_format()),
        Style::Markdown => Rows::Markdown(markdown::begin(conclusion, view, out)?),
        Style::Sarif => {
            sarif::write(&conclusion, out)?;
            Rows::Written
        }
        Style::Junit => {
            junit::write(&conclusion, out)?;
            Rows::Written
        }
        Style::Github => {
            github::write(&conclusion, out)?;
            Rows::Written
        }
        Style::Prometheus => {
            prometheus::write(&conclusion, out)?;
            Rows::Written
        }
        Style::Cbom => Rows::Cbom(cbom::begin(conclusion, view, out)?),
    })
}

/// Begins `snapshots`. `restore_to`: the cluster that the rows' obstacles are about.
pub fn snapshots<'a>(
    format: Format,
    frame: Frame<'a>,
    restore_to: Option<&'a str>,
    layout: Layout,
    out: &'a mut dyn Write,
) -> io::Result<SnapshotRows<'a>> {
    let rows = match format {
        Format::Table => Rows::Table(table::snapshots(frame, restore_to, layout, out)),
        Format::Json => Rows::Json(json::snapshots(frame, restore_to, out)?),
        Format::Csv => Rows::Csv(Box::new(csv::snapshots(out)?)),
    };
    Ok(SnapshotRows { rows, listed: true })
}
