//! What `collect` says in the end. What it lacks, sentence by sentence, is on stderr.

use std::io::{self, Write};

use super::page::Page;
use crate::report::words::{Tone, number};
use crate::report::{CollectReport, Layout};

pub(in crate::report) fn collect(
    report: &CollectReport<'_>,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let CollectReport {
        as_of: _,
        exit_code: _,
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
    let mut page = Page::new(layout, out);
    if *was_finished {
        page.line(
            Tone::Plain,
            &format!("`{bundle}` is finished: nothing was asked"),
        )?;
        return page.finish();
    }
    let tone = if gaps.is_empty() {
        Tone::Good
    } else {
        Tone::Doubtful
    };
    page.line(
        tone,
        &format!(
            "collected {}, {} in {} into `{bundle}`",
            number(*projects, "project", "projects"),
            number(*clusters, "cluster", "clusters"),
            number(*requests, "request", "requests"),
        ),
    )?;
    if asked < requests {
        let kept = number(requests - asked, "request", "requests");
        page.line(
            Tone::Plain,
            &format!("{kept} of them kept from the run that was stopped"),
        )?;
    }
    if let Some(started) = started_at {
        page.line(Tone::Plain, &format!("no answer is older than {started}"))?;
    }
    if !gaps.is_empty() {
        let gaps = number(gaps.len(), "gap", "gaps");
        page.line(
            Tone::Doubtful,
            &format!("{gaps}: the inventory is not complete"),
        )?;
    }
    if !assumptions.is_empty() {
        let lists = number(assumptions.len(), "list", "lists");
        page.line(
            Tone::Plain,
            &format!("{lists} not read for want of rights: later answers name the assumptions"),
        )?;
    }
    page.finish()
}
