//! JUnit XML, for what shows test results: one suite, in it a case for every finding and for every
//! code without one.
//!
//! | in the report | in the suite |
//! | --- | --- |
//! | a denied definite finding | `failure` |
//! | a denied undecided finding | `error`: it could not be told |
//! | a warning | a case that passes, the text in `system-out` |
//! | a waived or allowed finding | `skipped`, with the reason |
//! | a code without a finding, a question that is answered with a pass | a case that passes |
//!
//! No times: a case takes none, and the same evidence gives the same bytes. The elements and
//! attributes are those that the schema of Jenkins's xUnit plugin has (`junit-10.xsd`), and no
//! others: the crate that writes such reports adds a count to the root, which that schema refuses.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::Conclusion;
use super::text::escape;
use super::words;
use crate::model::gate::Answer;
use crate::model::verdict::{Class, Code, Finding, Level};

/// Texts are as they are found: each is escaped where it is written.
struct Case {
    /// Behind `snapkey.`, which groups the cases.
    class: &'static str,
    name: String,
    status: Status,
    said: Option<String>,
}

enum Status {
    Passed,
    Failed(Trouble),
    Undecided(Trouble),
    Skipped(String),
}

struct Trouble {
    kind: &'static str,
    message: String,
    about: &'static str,
}

pub(super) fn write(conclusion: &Conclusion<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut xml = Writer::new_with_indent(&mut out, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let cases = cases(conclusion);
    let count = |counts: fn(&Status) -> bool| {
        let counted = cases.iter().filter(|case| counts(&case.status));
        counted.count().to_string()
    };
    let tests = cases.len().to_string();
    let failures = count(|status| matches!(status, Status::Failed(_)));
    let errors = count(|status| matches!(status, Status::Undecided(_)));
    let skipped = count(|status| matches!(status, Status::Skipped(_)));
    let totals = [
        ("tests", tests.as_str()),
        ("failures", failures.as_str()),
        ("errors", errors.as_str()),
    ];
    let name = format!("snapkey.{}", conclusion.command);
    xml.create_element("testsuites")
        .with_attributes(totals)
        .write_inner_content(|xml| {
            xml.create_element("testsuite")
                .with_attribute(("name", name.as_str()))
                .with_attributes(totals)
                .with_attribute(("skipped", skipped.as_str()))
                .write_inner_content(|xml| suite(xml, conclusion, &cases))
                .map(|_| ())
        })?;
    writeln!(out)?;
    out.flush()
}

fn suite<W: Write>(
    xml: &mut Writer<W>,
    conclusion: &Conclusion<'_>,
    cases: &[Case],
) -> io::Result<()> {
    let as_of = conclusion.frame.as_of.to_string();
    let exit_code = conclusion.exit_code.to_string();
    xml.create_element("properties")
        .write_inner_content(|xml| {
            for (name, value) in [
                ("as_of", as_of.as_str()),
                ("exit_code", exit_code.as_str()),
                ("verdict", conclusion.verdict()),
            ] {
                xml.create_element("property")
                    .with_attributes([("name", name), ("value", value)])
                    .write_empty()?;
            }
            Ok(())
        })?;
    for case in cases {
        written(xml, case)?;
    }
    let basis = basis(conclusion);
    if !basis.is_empty() {
        text(xml, "system-out", &basis)?;
    }
    Ok(())
}

fn written<W: Write>(xml: &mut Writer<W>, case: &Case) -> io::Result<()> {
    let class = format!("snapkey.{}", case.class);
    let name = escape(&case.name);
    let element = xml
        .create_element("testcase")
        .with_attributes([("classname", class.as_str()), ("name", name.as_ref())]);
    if matches!(case.status, Status::Passed) && case.said.is_none() {
        return element.write_empty().map(|_| ());
    }
    element
        .write_inner_content(|xml| {
            match &case.status {
                Status::Passed => {}
                Status::Failed(trouble) => troubled(xml, "failure", trouble)?,
                Status::Undecided(trouble) => troubled(xml, "error", trouble)?,
                Status::Skipped(reason) => {
                    let reason = escape(reason);
                    xml.create_element("skipped")
                        .with_attribute(("message", reason.as_ref()))
                        .write_empty()?;
                }
            }
            match &case.said {
                Some(said) => text(xml, "system-out", &escape(said)),
                None => Ok(()),
            }
        })
        .map(|_| ())
}

fn troubled<W: Write>(xml: &mut Writer<W>, element: &str, trouble: &Trouble) -> io::Result<()> {
    let message = escape(&trouble.message);
    xml.create_element(element)
        .with_attributes([("type", trouble.kind), ("message", message.as_ref())])
        .write_text_content(BytesText::new(trouble.about))
        .map(|_| ())
}

/// `content` was escaped: it may have lines.
fn text<W: Write>(xml: &mut Writer<W>, element: &str, content: &str) -> io::Result<()> {
    xml.create_element(element)
        .write_text_content(BytesText::new(content))
        .map(|_| ())
}

fn cases(conclusion: &Conclusion<'_>) -> Vec<Case> {
    let mut cases = Vec::new();
    if let Some(why) = conclusion.withheld() {
        cases.push(Case {
            class: "historical",
            name: conclusion.frame.as_of.to_string(),
            status: Status::Undecided(Trouble {
                kind: "historical",
                message: why.to_owned(),
                about: "What passes is only what was known then.",
            }),
            said: None,
        });
    }
    cases.extend(conclusion.findings.iter().map(found));
    cases.extend(conclusion.answers.iter().filter_map(passed));
    let with_finding: BTreeSet<Code> = conclusion.findings.iter().map(|f| f.code).collect();
    let clean = conclusion
        .codes()
        .filter(|code| !with_finding.contains(code));
    cases.extend(clean.map(|code| Case {
        class: code.word(),
        name: "no finding".to_owned(),
        status: Status::Passed,
        said: None,
    }));
    cases
}

fn found(finding: &Finding) -> Case {
    let trouble = || Trouble {
        kind: finding.code.word(),
        message: finding.message.clone(),
        about: finding.code.about(),
    };
    let (status, said) = match (finding.level, finding.code.class()) {
        (Level::Deny, Class::Definite) => (Status::Failed(trouble()), None),
        (Level::Deny, Class::Undecided) => (Status::Undecided(trouble()), None),
        (Level::Warn, _) => (
            Status::Passed,
            Some(format!("warning: {}", finding.message)),
        ),
        (Level::Allow, _) => {
            let reason = match &finding.waived {
                Some(waived) => format!("waived until {}: {}", waived.until, waived.reason),
                None => "allowed by the policy".to_owned(),
            };
            (Status::Skipped(reason), Some(finding.message.clone()))
        }
    };
    Case {
        class: finding.code.word(),
        name: finding.subject.clone(),
        status,
        said,
    }
}

/// A question answered with a pass; any other answer is a finding.
fn passed(answer: &Answer) -> Option<Case> {
    if answer.exit_code != 0 {
        return None;
    }
    let name = answer.address.as_ref().or(answer.key.as_ref());
    let said = match &answer.key {
        Some(key) => format!("{}: {key}", answer.verdict),
        None => answer.verdict.to_owned(),
    };
    Some(Case {
        class: answer.action.word(),
        name: name.map_or("not known", String::as_str).to_owned(),
        status: Status::Passed,
        said: Some(said),
    })
}

/// What the answers rest on, one a line.
fn basis(conclusion: &Conclusion<'_>) -> String {
    let mut lines = Vec::new();
    for assumption in conclusion.frame.assumptions {
        let told = words::assumption(assumption);
        let told = format!("assumption {}: {told}", assumption.kind);
        lines.push(escape(&told).into_owned());
    }
    for root in conclusion.frame.roots {
        let told = format!("evidence: {}", words::root(root));
        lines.push(escape(&told).into_owned());
    }
    lines.join("\n")
}
