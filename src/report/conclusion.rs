//! What `audit`, `gate` and `report` concluded, as every format is given it.

use super::{Format, Frame};
use crate::model::gate::Answer;
use crate::model::verdict::{Assessment, Code, Finding, Level};

/// What the conclusions about an estate can be printed as besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain(Format),
    /// GitHub-flavored Markdown.
    Markdown,
    /// Static Analysis Results Interchange Format 2.1.0.
    Sarif,
    Junit,
    /// Workflow commands of GitHub Actions.
    Github,
    /// The text format of Prometheus, for the textfile collector.
    Prometheus,
    /// CycloneDX 1.6.
    Cbom,
}

/// What `audit`, `gate` and `report` concluded, as every format is given it. The exit code was
/// settled before.
#[derive(Clone, Copy, Debug)]
pub struct Conclusion<'a> {
    /// The command that was typed.
    pub command: &'static str,
    pub exit_code: u8,
    pub frame: Frame<'a>,
    /// Sorted by level, code, subject.
    pub findings: &'a [Finding],
    /// The gate was asked about keys; else it weighed the whole estate.
    pub asked: bool,
    /// What the gate was asked, in the order of the questions.
    pub answers: &'a [Answer],
    /// `None`: only the keys in question were looked at.
    pub estate: Option<&'a Assessment>,
    /// The file that results point at where a format wants one: relative, with `/`.
    pub anchor: &'a str,
}

impl Conclusion<'_> {
    /// The codes that the run could have found: a format that lists rules lists these on a clean
    /// run too.
    pub fn codes(&self) -> impl Iterator<Item = Code> {
        let asked = self.asked;
        Code::ALL
            .iter()
            .copied()
            .filter(move |code| code.is_answer() == asked || code.is_about_waivers())
    }

    /// The exit code as a pipeline calls it.
    pub const fn verdict(&self) -> &'static str {
        match self.exit_code {
            0 => "pass",
            1 => "fail",
            _undecided => "undecided",
        }
    }

    pub fn at_level(&self, level: Level) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |f| f.level == level)
    }

    /// Why the exit code is not 0 though no finding is denied: what no finding says, and a format
    /// that shows findings must say all the same.
    pub(super) fn withheld(&self) -> Option<&'static str> {
        let denied = self.at_level(Level::Deny).next().is_some();
        (self.exit_code != 0 && !denied).then_some(
            "no finding is denied, but the store holds later evidence, which is not seen",
        )
    }

    /// Findings put up with: waived ones, and those that the policy allows.
    pub(super) fn put_up_with(&self) -> (usize, usize) {
        let waived = |f: &&Finding| f.waived.is_some();
        let all = self.at_level(Level::Allow).count();
        let waived = self.at_level(Level::Allow).filter(waived).count();
        (waived, all - waived)
    }
}

/// How much an audit prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditView {
    /// No list of snapshots.
    pub summary: bool,
    /// Every row of the tables, which are then held in memory until the end.
    pub all: bool,
}
