//! The text format of Prometheus (exposition format 0.0.4), as the textfile collector of the node
//! exporter reads it: gauges, no timestamps, each family once. What is not known has no sample.
//!
//! Own lines: a crate that writes this format (`prometheus` 0.14) wants every sample as objects
//! first and brings a registry; the OpenMetrics of `prometheus-client` is refused by the collector.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};

use super::Conclusion;
use super::text::escape;
use crate::model::Timestamp;
use crate::model::evidence::Condition;
use crate::model::verdict::{
    Assessment, Code, Deletability, DependantKind, KeyRow, Level, ResolvedKey, Restorability,
    SafeAfter,
};

pub(super) fn write(conclusion: &Conclusion<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Exposition {
        out: BufWriter::new(out),
    };
    if let Some(estate) = conclusion.estate {
        totals(&mut page, estate)?;
        keys(&mut page, estate)?;
        projects(&mut page, estate)?;
    }
    findings(&mut page, conclusion)?;
    run(&mut page, conclusion)?;
    page.out.flush()
}

fn totals(page: &mut Exposition<'_>, estate: &Assessment) -> io::Result<()> {
    page.family(
        "snapkey_snapshots",
        "Snapshots that are not known to be gone, by verdict.",
        Restorability::ALL.map(|verdict| {
            let labels = labels(&[("verdict", verdict.word())]);
            (labels, estate.summary.snapshots(verdict))
        }),
    )?;
    page.family(
        "snapkey_keys",
        "Keys by the verdict on their deletion.",
        Deletability::ALL.map(|verdict| {
            let labels = labels(&[("verdict", verdict.word())]);
            (labels, estate.summary.keys(verdict))
        }),
    )
}

/// A key as its samples name it.
struct Named<'a> {
    provider: &'static str,
    id: String,
    verdict: Deletability,
    /// `None`: an id that stays unresolved.
    resolved: Option<&'a ResolvedKey>,
}

fn keys(page: &mut Exposition<'_>, estate: &Assessment) -> io::Result<()> {
    let mut seen = BTreeSet::new();
    let keys: Vec<Named<'_>> = estate
        .keys
        .iter()
        .map(named)
        // A collector throws a file with two equal samples away as a whole.
        .filter(|key| seen.insert((key.provider, escape(&key.id).into_owned())))
        .collect();
    drop(seen);
    let of = |key: &Named<'_>, more: &[(&'static str, &str)]| {
        let own = [("provider", key.provider), ("key", key.id.as_str())];
        labels(&[&own, more].concat())
    };
    let resolved = || keys.iter().filter_map(|key| Some((key, key.resolved?)));

    page.family(
        "snapkey_key_verdict",
        "1: what the evidence says about deleting the key.",
        keys.iter()
            .map(|key| (of(key, &[("verdict", key.verdict.word())]), 1)),
    )?;
    page.family(
        "snapkey_key_state",
        "1: the condition in the newest counted answer of the provider; none: never asked.",
        resolved().filter_map(|(key, row)| {
            let condition = row.state.condition.as_ref()?;
            Some((of(key, &[("condition", condition.word())]), 1))
        }),
    )?;
    page.family(
        "snapkey_key_observed_timestamp_seconds",
        "When the provider gave that answer.",
        dates(resolved(), of, |row| row.state.observed_at),
    )?;
    page.family(
        "snapkey_key_deletion_timestamp_seconds",
        "When the provider destroys the key for good; none: not scheduled, or no date is known.",
        dates(resolved(), of, |row| {
            row.state.condition.as_ref().and_then(deletion)
        }),
    )?;
    page.family(
        "snapkey_key_safe_after_timestamp_seconds",
        "The forecast day after which nothing known needs the key; none: no such date is known.",
        dates(resolved(), of, |row| match row.verdict.safe_after {
            SafeAfter::Date(at) => Some(at),
            SafeAfter::NotBefore(_) | SafeAfter::Indefinite | SafeAfter::None => None,
        }),
    )?;
    page.family(
        "snapkey_key_dependants",
        "How many things of a kind need the key; none: nothing known does.",
        resolved().flat_map(|(key, row)| {
            DependantKind::ALL.into_iter().filter_map(move |kind| {
                let count = row.verdict.counts.of(kind);
                (count > 0).then(|| (of(key, &[("kind", kind.word())]), count))
            })
        }),
    )
}

fn named(row: &KeyRow) -> Named<'_> {
    match row {
        KeyRow::Resolved(row) => Named {
            provider: row.key.provider().word(),
            id: row.key.to_string(),
            verdict: row.verdict.verdict,
            resolved: Some(row),
        },
        KeyRow::Unresolved {
            provider,
            spelling,
            doubts: _,
        } => Named {
            provider: provider.map_or("", |provider| provider.word()),
            id: spelling.clone(),
            verdict: Deletability::Unknown,
            resolved: None,
        },
    }
}

fn dates<'k>(
    keys: impl Iterator<Item = (&'k Named<'k>, &'k ResolvedKey)>,
    labels: impl Fn(&Named<'_>, &[(&'static str, &str)]) -> String,
    date: impl Fn(&ResolvedKey) -> Option<Timestamp>,
) -> impl Iterator<Item = (String, i64)> {
    keys.filter_map(move |(key, row)| Some((labels(key, &[]), date(row)?.unix())))
}

/// An expiry is no deletion: the key is still there afterwards.
const fn deletion(condition: &Condition) -> Option<Timestamp> {
    match condition {
        Condition::PendingDeletion { deadline } => *deadline,
        Condition::SoftDeleted { purge } => *purge,
        Condition::Enabled { .. }
        | Condition::UnwrapOnly { .. }
        | Condition::Disabled
        | Condition::MaterialMissing
        | Condition::Unavailable { .. }
        | Condition::Transient
        | Condition::Destroyed { .. }
        | Condition::Unknown { .. } => None,
    }
}

fn projects(page: &mut Exposition<'_>, estate: &Assessment) -> io::Result<()> {
    let mut seen = BTreeSet::new();
    let projects: Vec<_> = estate
        .projects
        .iter()
        .map(|row| {
            let project = labels(&[
                ("base_url", &row.project.base_url),
                ("project", &row.project.id),
            ]);
            (project, row)
        })
        .filter(|(labels, _)| seen.insert(labels.clone()))
        .collect();
    page.family(
        "snapkey_project_complete",
        "1: every list that a verdict on a key rests on was read whole.",
        projects
            .iter()
            .map(|(labels, row)| (labels.clone(), u8::from(row.complete))),
    )?;
    page.family(
        "snapkey_project_covered_timestamp_seconds",
        "The oldest of those lists, by when it was read; none: never complete.",
        projects
            .iter()
            .filter_map(|(labels, row)| Some((labels.clone(), row.covered_at?.unix()))),
    )
}

/// Every code that the run looks for, at every level: a sum over no sample is no zero.
fn findings(page: &mut Exposition<'_>, conclusion: &Conclusion<'_>) -> io::Result<()> {
    let levels = [Level::Deny, Level::Warn, Level::Allow];
    let mut counts: BTreeMap<(Code, Level), u64> = BTreeMap::new();
    for finding in conclusion.findings {
        *counts.entry((finding.code, finding.level)).or_default() += 1;
    }
    let count = |code, level| counts.get(&(code, level)).copied().unwrap_or(0);
    page.family(
        "snapkey_findings",
        "Findings by code and by the level that the policy gives them.",
        conclusion.codes().flat_map(|code| {
            levels.map(|level| {
                let labels = labels(&[("code", code.word()), ("level", level.word())]);
                (labels, count(code, level))
            })
        }),
    )
}

fn run(page: &mut Exposition<'_>, conclusion: &Conclusion<'_>) -> io::Result<()> {
    page.single(
        "snapkey_exit_code",
        "How an audit of this evidence exits: 0 passed, 1 failed, 3 undecided.",
        i64::from(conclusion.exit_code),
    )?;
    page.single(
        "snapkey_as_of_timestamp_seconds",
        "The instant that everything else is about.",
        conclusion.frame.as_of.unix(),
    )?;
    page.single(
        "snapkey_historical",
        "1: the store holds later evidence, which was not looked at.",
        i64::from(conclusion.frame.historical),
    )?;
    page.family(
        "snapkey_build_info",
        "1: the version that wrote this.",
        [(labels(&[("version", env!("CARGO_PKG_VERSION"))]), 1)],
    )
}

/// A file of families.
struct Exposition<'w> {
    out: BufWriter<&'w mut dyn Write>,
}

impl Exposition<'_> {
    /// A family of gauges: labels as [`labels`] writes them, and a value. Without samples it is
    /// left out.
    fn family<V: std::fmt::Display>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (String, V)>,
    ) -> io::Result<()> {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} gauge")?;
        for (labels, value) in samples {
            writeln!(self.out, "{name}{labels} {value}")?;
        }
        Ok(())
    }

    fn single(&mut self, name: &str, help: &str, value: i64) -> io::Result<()> {
        self.family(name, help, [(String::new(), value)])
    }
}

/// `{name="value",…}`. What a terminal must not see is escaped first, then what the format wants
/// escaped: backslash, quote and line feed.
fn labels(labels: &[(&str, &str)]) -> String {
    let mut text = String::from("{");
    for (name, value) in labels {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        for c in escape(value).chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                _ => text.push(c),
            }
        }
        text.push('"');
    }
    text.push('}');
    text
}
