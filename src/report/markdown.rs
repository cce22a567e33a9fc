//! GitHub-flavored Markdown, for a ticket or the summary of a job: how it went, what needs action,
//! then keys and snapshots, worst first.
//!
//! What is not asked for in full stays below [`BUDGET`] whatever the names in it: lists end early,
//! and say so.

mod text;

use std::io::{self, BufWriter, Write};

use super::words::{self, number};
use super::worst::{self, EXAMPLES, ROWS, Worst};
use super::{AuditView, Conclusion};
use crate::model::gate::Answer;
use crate::model::verdict::{Deletability, Finding, KeyRow, Level, Restorability, SnapshotVerdict};

/// Bytes of a document that does not list all; GitHub takes 1 MiB as the summary of a step.
const BUDGET: usize = 1_000_000;
/// Characters of a name and of a sentence in such a document.
const NAME: usize = 256;
const SENTENCE: usize = 1_000;
/// Keys of one snapshot in such a document.
const KEYS: usize = 3;

pub(super) struct Document<'a> {
    conclusion: Conclusion<'a>,
    page: Page<'a>,
    list: List,
}

/// How snapshots are brought into their order.
enum List {
    /// By keeping the worst.
    Worst(Worst),
    /// By reading all once for each verdict that there is, the worst first.
    InPasses(std::vec::IntoIter<Restorability>),
    None,
}

pub(super) fn begin<'a>(
    conclusion: Conclusion<'a>,
    view: AuditView,
    out: &'a mut dyn Write,
) -> io::Result<Document<'a>> {
    let mut page = Page {
        out: BufWriter::new(out),
        written: 0,
        all: view.all,
    };
    let Conclusion {
        command,
        exit_code,
        frame,
        findings,
        ..
    } = conclusion;
    page.line(&format!("# snapkey {command}: {}", conclusion.verdict()))?;
    let (_, outcome) = words::outcome(findings, frame.historical, exit_code);
    let as_of = frame.as_of;
    page.paragraph(&format!(
        "{outcome} (as of `{as_of}`, exit code {exit_code})"
    ))?;
    page.findings(&conclusion)?;
    if conclusion.asked {
        page.answers(conclusion.answers)?;
    }
    let list = match conclusion.estate {
        None => List::None,
        Some(estate) => {
            let counts = Deletability::ALL.map(|word| (estate.summary.keys(word), word.word()));
            page.heading(&words::counted("Keys, worst first", &counts))?;
            let rows = worst::keys(&estate.keys);
            page.table(
                5,
                KEY_COLUMNS,
                rows.len(),
                &mut rows.into_iter(),
                |page, row| page.key(row),
            )?;
            let counts =
                Restorability::ALL.map(|word| (estate.summary.snapshots(word), word.word()));
            page.heading(&words::counted("Snapshots, worst first", &counts))?;
            let present = Restorability::ALL
                .into_iter()
                .filter(|word| estate.summary.snapshots(*word) > 0);
            let present: Vec<Restorability> = present.collect();
            if view.summary {
                page.paragraph("Not listed.")?;
                List::None
            } else if view.all {
                if !present.is_empty() {
                    page.header(SNAPSHOT_COLUMNS)?;
                }
                List::InPasses(present.into_iter())
            } else {
                List::Worst(Worst::new(Some(ROWS)))
            }
        }
    };
    Ok(Document {
        conclusion,
        page,
        list,
    })
}

const KEY_COLUMNS: &[&str] = &["verdict", "key", "condition", "why"];
const SNAPSHOT_COLUMNS: &[&str] = &[
    "verdict", "project", "cluster", "snapshot", "keys", "why", "expires",
];

impl Document<'_> {
    pub(super) fn passes(&self) -> u8 {
        match &self.list {
            List::Worst(_) => 1,
            // There are seven verdicts.
            List::InPasses(verdicts) => u8::try_from(verdicts.len()).unwrap_or(u8::MAX),
            List::None => 0,
        }
    }

    pub(super) fn row(&mut self, row: &SnapshotVerdict) -> io::Result<()> {
        match &mut self.list {
            List::Worst(worst) => {
                worst.row(row);
                Ok(())
            }
            List::InPasses(verdicts) if verdicts.as_slice().first() == Some(&row.verdict) => {
                let line = self.page.snapshot(row);
                self.page.line(&line)
            }
            List::InPasses(_) | List::None => Ok(()),
        }
    }

    pub(super) fn pass_ended(&mut self) {
        match &mut self.list {
            List::InPasses(verdicts) => {
                let _printed = verdicts.next();
            }
            List::Worst(_) | List::None => {}
        }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        let page = &mut self.page;
        if let List::Worst(worst) = self.list {
            let (rows, left_out) = worst.into_rows();
            let total = rows.len() + left_out;
            let mut rows = rows.iter();
            page.table(7, SNAPSHOT_COLUMNS, total, &mut rows, |page, row| {
                page.snapshot(row)
            })?;
        }
        page.waived(self.conclusion.findings)?;
        let frame = self.conclusion.frame;
        let assumptions: Vec<(&str, String)> = if page.all {
            let all = frame.assumptions.iter();
            all.map(|at| (at.kind, words::assumption(at))).collect()
        } else {
            words::assumptions(frame.assumptions)
        };
        if !assumptions.is_empty() {
            page.heading("Assumptions behind this answer")?;
            let mut rows = assumptions.iter();
            page.items(9, assumptions.len(), &mut rows, |page, (kind, told)| {
                format!("- `{kind}`: {}", page.sentence(told))
            })?;
        }
        if !frame.roots.is_empty() {
            page.heading("Evidence searched")?;
            let mut rows = frame.roots.iter();
            page.items(10, frame.roots.len(), &mut rows, |page, root| {
                format!(
                    "- {} {}, {}: {}",
                    root.source,
                    page.name(&root.base_url),
                    page.name(&root.scope),
                    page.sentence(&words::root_read(root))
                )
            })?;
        }
        self.page.out.flush()
    }
}

/// What was written, and how much there is still room for.
struct Page<'w> {
    out: BufWriter<&'w mut dyn Write>,
    written: usize,
    all: bool,
}

impl Page<'_> {
    fn line(&mut self, text: &str) -> io::Result<()> {
        self.written += text.len() + 1;
        writeln!(self.out, "{text}")
    }

    fn paragraph(&mut self, text: &str) -> io::Result<()> {
        self.line("")?;
        self.line(text)
    }

    fn heading(&mut self, text: &str) -> io::Result<()> {
        self.paragraph(&format!("## {text}"))
    }

    fn header(&mut self, columns: &[&str]) -> io::Result<()> {
        self.paragraph(&row(columns))?;
        self.line(&row(&vec!["---"; columns.len()]))
    }

    /// A text from outside that names something.
    fn name(&self, text: &str) -> String {
        text::code(text, if self.all { usize::MAX } else { NAME })
    }

    /// A sentence, which may hold texts from outside.
    fn sentence(&self, text: &str) -> String {
        text::prose(text, if self.all { usize::MAX } else { SENTENCE })
    }

    /// Rows as long as the document stays below `tenths` of its budget, so that the lists behind
    /// find room. Returns how many of `total` were left out.
    fn rows<T>(
        &mut self,
        tenths: usize,
        total: usize,
        rows: &mut dyn Iterator<Item = T>,
        line: impl Fn(&Self, T) -> String,
    ) -> io::Result<usize> {
        let mut n_written = 0;
        for at in rows {
            if !self.all && n_written == ROWS {
                break;
            }
            let text = line(self, at);
            if !self.all && self.written + text.len() > BUDGET / 10 * tenths {
                break;
            }
            self.line(&text)?;
            n_written += 1;
        }
        Ok(total.saturating_sub(n_written))
    }

    fn table<T>(
        &mut self,
        tenths: usize,
        columns: &[&str],
        total: usize,
        rows: &mut dyn Iterator<Item = T>,
        line: impl Fn(&Self, T) -> String,
    ) -> io::Result<()> {
        if total == 0 {
            return Ok(());
        }
        self.header(columns)?;
        let left_out = self.rows(tenths, total, rows, line)?;
        if left_out > 0 {
            self.paragraph(&format!("and {left_out} more"))?;
        }
        Ok(())
    }

    fn items<T>(
        &mut self,
        tenths: usize,
        total: usize,
        rows: &mut dyn Iterator<Item = T>,
        line: impl Fn(&Self, T) -> String,
    ) -> io::Result<()> {
        self.line("")?;
        let left_out = self.rows(tenths, total, rows, line)?;
        if left_out > 0 {
            self.line(&format!("- and {left_out} more"))?;
        }
        Ok(())
    }

    fn findings(&mut self, conclusion: &Conclusion<'_>) -> io::Result<()> {
        let shown: Vec<&Finding> = conclusion
            .findings
            .iter()
            .filter(|finding| finding.level != Level::Allow)
            .collect();
        if !shown.is_empty() {
            self.heading("What needs action")?;
            self.line("")?;
        }
        for group in shown.chunk_by(|a, b| (a.level, a.code) == (b.level, b.code)) {
            let Some(first) = group.first() else {
                continue;
            };
            let Finding { code, level, .. } = first;
            self.line(&format!(
                "- **{}** `{code}` ({}): {}",
                level.word(),
                group.len(),
                code.about()
            ))?;
            let listed = if self.all { group.len() } else { EXAMPLES };
            let mut rows = group.iter().take(listed);
            let left_out = self.rows(3, group.len(), &mut rows, |page, finding| {
                format!(
                    "  - {}: {}",
                    page.name(&finding.subject),
                    page.sentence(&finding.message)
                )
            })?;
            if left_out > 0 {
                self.line(&format!("  - and {left_out} more"))?;
            }
        }
        let (waived, allowed) = conclusion.put_up_with();
        if waived + allowed > 0 {
            self.paragraph(&format!(
                "{waived} waived, {allowed} allowed by the policy."
            ))?;
        }
        Ok(())
    }

    fn waived(&mut self, findings: &[Finding]) -> io::Result<()> {
        let waived: Vec<_> = findings
            .iter()
            .filter_map(|finding| Some((finding, finding.waived.as_ref()?)))
            .collect();
        if waived.is_empty() {
            return Ok(());
        }
        self.heading("Waived")?;
        let columns = ["until", "finding", "subject", "message", "reason"];
        let total = waived.len();
        let mut rows = waived.into_iter();
        self.table(8, &columns, total, &mut rows, |page, (finding, waived)| {
            row(&[
                &format!("`{}`", waived.until),
                &format!("`{}`", finding.code),
                &page.name(&finding.subject),
                &page.sentence(&finding.message),
                &page.sentence(&waived.reason),
            ])
        })
    }

    fn answers(&mut self, answers: &[Answer]) -> io::Result<()> {
        self.heading("What was asked")?;
        if answers.is_empty() {
            return self.paragraph("The plan does nothing to a key.");
        }
        let columns = ["verdict", "action", "key", "asked by", "why"];
        let total = answers.len();
        self.table(4, &columns, total, &mut answers.iter(), |page, answer| {
            page.answer(answer)
        })
    }

    fn answer(&self, answer: &Answer) -> String {
        let name = |text: &Option<String>| text.as_ref().map(|text| self.name(text));
        let key = name(&answer.key).unwrap_or_else(|| "not known".to_owned());
        let key = match name(&answer.to) {
            Some(to) => format!("{key} to {to}"),
            None => key,
        };
        let mut why = Vec::new();
        if answer.counts.total() > 0 {
            why.push(format!("needed by {}", answer.counts));
        }
        why.extend(words::safe_after(answer.safe_after));
        why.extend(words::doubts(answer.doubts.iter().copied()));
        why.extend(answer.details.iter().cloned());
        row(&[
            &bold(answer.verdict, answer.exit_code != 0),
            answer.action.word(),
            &key,
            &name(&answer.address).unwrap_or_default(),
            &self.sentence(&why.join("; ")),
        ])
    }

    fn key(&self, key: &KeyRow) -> String {
        let (verdict, condition, why) = words::key_told(key);
        row(&[
            verdict.word(),
            &self.name(&words::key_id(key)),
            &self.sentence(&condition),
            &self.sentence(&why),
        ])
    }

    fn snapshot(&self, snapshot: &SnapshotVerdict) -> String {
        let listed = if self.all { usize::MAX } else { KEYS };
        let mut keys: Vec<String> = snapshot
            .keys
            .iter()
            .take(listed)
            .map(|key| self.name(key))
            .collect();
        if snapshot.keys.len() > keys.len() {
            let more = snapshot.keys.len() - keys.len();
            keys.push(format!("and {}", number(more, "more", "more")));
        }
        let expires = snapshot.expires_at.map(|at| format!("`{at}`"));
        row(&[
            &bold(snapshot.verdict.word(), is_bad(snapshot.verdict)),
            &self.name(&snapshot.project.id),
            &self.name(&snapshot.cluster),
            &self.name(&snapshot.id),
            &keys.join(", "),
            &self.sentence(&words::why(snapshot)),
            &expires.unwrap_or_default(),
        ])
    }
}

/// A row of a table; the cells are Markdown.
fn row(cells: &[&str]) -> String {
    let mut line = String::from("|");
    for cell in cells {
        line.push(' ');
        line.push_str(cell);
        if !cell.is_empty() {
            line.push(' ');
        }
        line.push('|');
    }
    line
}

fn bold(word: &str, stands_out: bool) -> String {
    if stands_out {
        format!("**{word}**")
    } else {
        word.to_owned()
    }
}

const fn is_bad(verdict: Restorability) -> bool {
    match verdict {
        Restorability::Lost | Restorability::Blocked | Restorability::Unknown => true,
        Restorability::Conditional
        | Restorability::Unusable
        | Restorability::Expired
        | Restorability::Restorable => false,
    }
}
