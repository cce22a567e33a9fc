//! Workflow commands of GitHub Actions, which become annotations of a run: the totals first, then
//! the denied findings, then the warnings.
//!
//! GitHub keeps ten annotations of each level and step, so no more are written; the totals count
//! the rest. Every line begins with a command of ours: a text from outside neither begins a line
//! nor ends one, and the runner looks for no second command in a line that it obeyed.

use std::io::{self, BufWriter, Write};

use super::Conclusion;
use super::text::{escape, shorten};
use super::words::number;
use crate::model::gate::Answer;
use crate::model::verdict::{Finding, Level};

/// Annotations of one level that GitHub keeps of a step.
const KEPT: usize = 10;
/// Characters of a subject and of a message: an annotation shows some lines of text.
const SUBJECT: usize = 300;
const MESSAGE: usize = 2_000;

pub(super) fn write(conclusion: &Conclusion<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut lines = Lines {
        anchor: property(conclusion.anchor),
        out: BufWriter::new(out),
    };
    let Conclusion {
        command, exit_code, ..
    } = conclusion;
    let outcome = format!(
        "snapkey {command}: {} (exit code {exit_code})",
        conclusion.verdict()
    );
    lines.annotation("notice", &outcome, &totals(conclusion))?;
    let mut errors = KEPT;
    if let Some(why) = conclusion.withheld() {
        errors -= 1;
        lines.annotation("error", "snapkey: undecided", why)?;
    }
    for (level, command, kept) in [
        (Level::Deny, "error", errors),
        (Level::Warn, "warning", KEPT),
    ] {
        for finding in conclusion.at_level(level).take(kept) {
            lines.finding(command, finding)?;
        }
    }
    // The totals are a notice too.
    for answer in passed(conclusion).take(KEPT - 1) {
        lines.annotation("notice", &asked(answer), answer.verdict)?;
    }
    lines.out.flush()
}

fn passed<'a>(conclusion: &Conclusion<'a>) -> impl Iterator<Item = &'a Answer> {
    conclusion
        .answers
        .iter()
        .filter(|answer| answer.exit_code == 0)
}

fn totals(conclusion: &Conclusion<'_>) -> String {
    let shown = |count: usize, kept: usize| {
        if count > kept {
            format!(" ({kept} shown)")
        } else {
            String::new()
        }
    };
    let denied = conclusion.at_level(Level::Deny).count();
    let warned = conclusion.at_level(Level::Warn).count();
    let (waived, allowed) = conclusion.put_up_with();
    let mut parts = vec![
        format!(
            "{}{}",
            number(denied, "denied finding", "denied findings"),
            shown(denied, KEPT)
        ),
        format!(
            "{}{}",
            number(warned, "warning", "warnings"),
            shown(warned, KEPT)
        ),
        format!("{waived} waived"),
        format!("{allowed} allowed"),
    ];
    if conclusion.asked {
        let answers = conclusion.answers.len();
        let passed = passed(conclusion).count();
        parts.push(format!(
            "{passed} of {} passed{}",
            number(answers, "question", "questions"),
            shown(passed, KEPT - 1)
        ));
    }
    let assumptions = conclusion.frame.assumptions.len();
    if assumptions > 0 {
        parts.push(format!(
            "resting on {}",
            number(assumptions, "assumption", "assumptions")
        ));
    }
    format!("as of {}: {}", conclusion.frame.as_of, parts.join(", "))
}

/// `delete arn:aws:kms:…, asked by aws_kms_key.orders`
fn asked(answer: &Answer) -> String {
    let mut text = answer.action.word().to_owned();
    if let Some(key) = &answer.key {
        text.push(' ');
        text.push_str(key);
    }
    if let Some(address) = &answer.address {
        text.push_str(", asked by ");
        text.push_str(address);
    }
    text
}

struct Lines<'w> {
    /// Escaped.
    anchor: String,
    out: BufWriter<&'w mut dyn Write>,
}

impl Lines<'_> {
    fn finding(&mut self, command: &str, finding: &Finding) -> io::Result<()> {
        let subject = escape(&finding.subject);
        let text = format!("{}: {}", shorten(&subject, SUBJECT), finding.message);
        self.annotation(command, finding.code.word(), &text)
    }

    fn annotation(&mut self, command: &str, title: &str, text: &str) -> io::Result<()> {
        let title = property(&shorten(&escape(title), SUBJECT));
        let text = data(&shorten(&escape(text), MESSAGE));
        let anchor = &self.anchor;
        writeln!(
            self.out,
            "::{command} file={anchor},line=1,title={title}::{text}"
        )
    }
}

/// The text behind a command. `%` is what the runner decodes; a line ends nowhere else.
fn data(text: &str) -> String {
    escape(text).replace('%', "%25")
}

/// The value of a property, which a comma or the `::` would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the runner makes of a property and of the text behind the command.
    fn decoded(text: &str) -> String {
        text.replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%25", "%")
    }

    #[test]
    fn what_the_runner_decodes_is_what_was_meant() {
        let table = [
            ("orders", "orders", "orders"),
            ("a:b,c", "a:b,c", "a%3Ab%2Cc"),
            ("100%", "100%25", "100%25"),
            (
                "%0A::error::x",
                "%250A::error::x",
                "%250A%3A%3Aerror%3A%3Ax",
            ),
            ("%250A", "%25250A", "%25250A"),
            (
                "two\r\nlines",
                "two\\u{d}\\u{a}lines",
                "two\\u{d}\\u{a}lines",
            ),
        ];
        for (text, as_data, as_property) in table {
            assert_eq!(data(text), as_data);
            assert_eq!(property(text), as_property);
            assert_eq!(decoded(as_data), escape(text));
            assert_eq!(decoded(as_property), escape(text));
        }
    }
}
