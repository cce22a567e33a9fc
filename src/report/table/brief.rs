//! The whole estate on one screen of 24 lines, however large it is: grouped, counted, worst first.

use std::collections::BTreeMap;
use std::io;

use super::audit::outcome;
use super::page::Page;
use crate::model::verdict::{
    Assessment, Assumption, Deletability, Finding, KeyRow, Level, Restorability, RootVerdict,
};
use crate::report::Frame;
use crate::report::words::{Tone, counted, number};
use crate::report::worst::rank;

/// Kinds of findings that are told apart. With every line that may wrap on two, the page has 23
/// lines at 80 columns, and one is left for the prompt.
const KINDS: usize = 9;

/// Prints all of it, but for the end of the page. `how`: where the rest is found.
pub(super) fn brief(
    page: &mut Page<'_>,
    findings: &[Finding],
    frame: Frame<'_>,
    exit_code: u8,
    estate: &Assessment,
    how: &str,
) -> io::Result<()> {
    outcome(page, findings, frame, exit_code)?;
    kinds(page, findings)?;
    let keys = Deletability::ALL.map(|word| (estate.summary.keys(word), word.word()));
    let snapshots = Restorability::ALL.map(|word| (estate.summary.snapshots(word), word.word()));
    page.heading(&counted("Snapshots", &snapshots))?;
    page.line(Tone::Plain, &counted("Keys", &keys))?;
    conditions(page, &estate.keys)?;
    let incomplete = estate.projects.iter().filter(|row| !row.complete).count();
    let text = match (estate.projects.len(), incomplete) {
        (0, _) => "Projects: none".to_owned(),
        (all, 0) => format!("Projects: {all}, all complete"),
        (all, some) => format!("Projects: {all} ({some} incomplete)"),
    };
    page.one_line(Tone::Plain, &text)?;
    assumptions(page, frame.assumptions)?;
    roots(page, frame.roots)?;
    page.one_line(Tone::Plain, &format!("more: {how}"))
}

/// A line for each kind of finding, with the first of its kind.
fn kinds(page: &mut Page<'_>, findings: &[Finding]) -> io::Result<()> {
    let shown: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.level != Level::Allow)
        .collect();
    let waived = findings.iter().filter(|f| f.waived.is_some()).count();
    let allowed = findings.len() - shown.len() - waived;
    let groups: Vec<&[&Finding]> = shown
        .chunk_by(|a, b| (a.level, a.code) == (b.level, b.code))
        .collect();
    let mut title = if shown.is_empty() {
        "Nothing needs action".to_owned()
    } else {
        let of = number(shown.len(), "finding", "findings");
        format!("What needs action: {of}")
    };
    for (count, what) in [(waived, "waived"), (allowed, "allowed by the policy")] {
        if count > 0 {
            title.push_str(&format!(", {count} {what}"));
        }
    }
    page.gap()?;
    page.one_line(Tone::Plain, &title)?;
    // "and 1 more kind" takes the line of that kind.
    let listed = if groups.len() > KINDS {
        KINDS - 1
    } else {
        KINDS
    };
    for group in groups.iter().take(listed) {
        let Some(first) = group.first() else {
            continue;
        };
        let tone = match first.level {
            Level::Deny => Tone::Bad,
            Level::Warn => Tone::Doubtful,
            Level::Allow => Tone::Plain,
        };
        let Finding {
            code,
            level,
            subject,
            message,
            waived: _,
        } = first;
        let text = format!(
            "{:<5} {code} ({}): {subject}: {message}",
            level.word(),
            group.len()
        );
        page.one_line(tone, &text)?;
    }
    let rest = groups.get(listed..).unwrap_or_default();
    if !rest.is_empty() {
        let findings: usize = rest.iter().map(|group| group.len()).sum();
        let kinds = number(rest.len(), "more kind", "more kinds");
        let findings = number(findings, "finding", "findings");
        page.one_line(Tone::Plain, &format!("and {kinds} ({findings})"))?;
    }
    Ok(())
}

/// Conditions of the keys that something hangs on, worst first.
fn conditions(page: &mut Page<'_>, keys: &[KeyRow]) -> io::Result<()> {
    let mut groups: BTreeMap<(u8, &str), u64> = BTreeMap::new();
    for row in keys {
        let word = match row {
            KeyRow::Unresolved { .. } => "unresolved",
            KeyRow::Resolved(key) => match key.verdict.verdict {
                Deletability::Safe | Deletability::Gone => continue,
                Deletability::Held | Deletability::Unknown => {
                    let condition = key.state.condition.as_ref();
                    condition.map_or("never asked", |condition| condition.word())
                }
            },
        };
        *groups.entry((rank(row).min(10), word)).or_default() += 1;
    }
    if groups.is_empty() {
        return Ok(());
    }
    let parts: Vec<String> = groups
        .iter()
        .map(|((_, word), count)| format!("{count} {word}"))
        .collect();
    page.one_line(
        Tone::Plain,
        &format!("Keys held or in doubt: {}", parts.join(", ")),
    )
}

fn assumptions(page: &mut Page<'_>, assumptions: &[Assumption]) -> io::Result<()> {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for assumption in assumptions {
        *kinds.entry(assumption.kind).or_default() += 1;
    }
    if kinds.is_empty() {
        return Ok(());
    }
    let parts: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let text = format!("Assumptions: {} ({})", assumptions.len(), parts.join(", "));
    page.one_line(Tone::Plain, &text)
}

/// Where the evidence comes from: the list of projects that was read longest ago.
fn roots(page: &mut Page<'_>, roots: &[RootVerdict]) -> io::Result<()> {
    // A list that was never read whole comes first.
    let Some(oldest) = roots.iter().min_by_key(|root| root.covered_at) else {
        return Ok(());
    };
    let read = match oldest.covered_at {
        Some(at) if roots.len() == 1 => format!("project list read whole at {at}"),
        Some(at) => format!("project lists read whole at {at} or later"),
        None => "project list never read whole".to_owned(),
    };
    let besides = match roots.len() - 1 {
        0 => String::new(),
        n => format!(" and {}", number(n, "more root", "more roots")),
    };
    let root = format!("{} {}", oldest.source, oldest.base_url);
    let text = format!("Evidence: {read}: {root}{besides}");
    page.one_line(Tone::Plain, &text)
}
