//! `gate` and `report`, and what `audit` shares with them: conclusions printed in every format.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use super::judge::{self, Sight, Stop};
use super::probe::{self, LastUses};
use super::whole_file::WholeFile;
use super::{Console, Error, ErrorKind, Session, output, output_failed};
use crate::assess::Purpose;
use crate::assess::gate::{self, Container, Question};
use crate::cli;
use crate::config;
use crate::model::gate::{Action, Answer};
use crate::model::verdict::{Assumption, Finding, Intent, Level, RootVerdict};
use crate::model::{Policy, Spelling, Timestamp};
use crate::report::{self, AuditView, Conclusion, Format, Frame, Style};
use crate::store::Store;
use crate::terraform::{self, Keys, Successor};

/// Denied findings that are named on stderr.
const NAMED: usize = 5;

/// The command that prints a conclusion.
#[derive(Clone, Copy)]
pub(super) enum By {
    Audit(AuditView),
    Gate,
    Report(AuditView),
}

impl By {
    const fn word(self) -> &'static str {
        match self {
            Self::Audit(_) => "audit",
            Self::Gate => "gate",
            Self::Report(_) => "report",
        }
    }
}

/// How conclusions are printed.
#[derive(Clone, Copy)]
pub(super) struct Printing<'p> {
    pub(super) by: By,
    /// The file that says how severe findings are.
    pub(super) policy_file: Option<&'p Path>,
}

/// One question, as it was put.
struct Put {
    question: Question,
    about: About,
}

/// What a question is about.
enum About {
    Key {
        key: String,
        to: Option<String>,
        /// Why a rotation cannot pass whatever the old key's state: the new one is not known.
        but: Option<String>,
    },
    /// Every key in it that the store knows.
    Within(Container),
    /// Why the plan cannot say.
    Unknown(String),
}

/// What the pipeline wants to know.
struct Asking {
    questions: Vec<Put>,
    /// Where the questions may not be all: which file, and why.
    flaws: Vec<(String, String)>,
}

/// The answers to what a pipeline asked, and what they rest on.
#[derive(Default)]
pub(super) struct Asked {
    answers: Vec<Answer>,
    findings: Vec<Finding>,
    historical: bool,
    roots: Vec<RootVerdict>,
    assumptions: Vec<Assumption>,
}

impl Session<'_, '_> {
    pub(super) fn gate(&mut self, args: &cli::Gate) -> Result<u8, Error> {
        if let Some(path) = &args.policy {
            self.config.policy.gate = config::load_policy(path)?;
        }
        let file = args.policy.clone().or_else(|| self.config.file.clone());
        let printing = Printing {
            by: By::Gate,
            policy_file: file.as_deref(),
        };
        let asking = self.asking(args)?;
        let store = if args.probe {
            self.probed(&asking.questions)?
        } else {
            self.readable_store()?
        };
        let as_of = self.as_of();
        let code = if args.key.is_none() && args.terraform_plan.is_none() {
            self.print_estate(&store, as_of, printing, None, None)?
        } else {
            let asked = ask(&store, &self.config.policy, as_of, &asking)?;
            self.print_answers(&store, as_of, printing, &asked)?
        };
        store.close().map_err(Error::from)?;
        Ok(code)
    }

    /// The store, with fresh answers about the keys in question.
    fn probed(&mut self, questions: &[Put]) -> Result<Store, Error> {
        let mut store = self.writable_store()?;
        let mut keys = Vec::new();
        for Put { question, about } in questions {
            let About::Key { key, to, but: _ } = about else {
                continue;
            };
            let named = [Some(key), to.as_ref()].into_iter().flatten();
            // What a plan spells so that nobody can be asked about it is undecided, not an error.
            keys.extend(
                named
                    .filter(|key| {
                        question.address.is_none()
                            || matches!(
                                Spelling::read(key),
                                Spelling::Complete(_) | Spelling::AzureKey(_)
                            )
                    })
                    .cloned(),
            );
        }
        let uses = LastUses::NotAsked;
        let asked = probe::named(&mut store, &self.config, &keys, uses, self.console)?;
        asked.tell(self.console);
        Ok(store)
    }

    /// What the command line and the plan ask.
    fn asking(&mut self, args: &cli::Gate) -> Result<Asking, Error> {
        let mut asking = Asking {
            questions: questions(args),
            flaws: Vec::new(),
        };
        let Some(path) = &args.terraform_plan else {
            return Ok(asking);
        };
        let name = path.display().to_string();
        let plan = if path.as_os_str() == "-" {
            terraform::read(&mut self.console.stdin, "standard input")
        } else {
            let file = std::fs::File::open(path).map_err(|error| {
                Error::new(ErrorKind::Input, format!("cannot read the plan `{name}`"))
                    .caused_by(&error)
            })?;
            terraform::read(file, &name)
        };
        let plan = plan.map_err(|error| {
            let kind = match error.is_usage() {
                true => ErrorKind::Input,
                false => ErrorKind::Io,
            };
            Error::new(kind, "cannot judge the plan").caused_by(&error)
        })?;
        asking.questions.extend(plan.changes.into_iter().map(put));
        asking.flaws = plan
            .flaws
            .into_iter()
            .map(|flaw| (name.clone(), flaw))
            .collect();
        Ok(asking)
    }

    pub(super) fn report(&mut self, args: &cli::Report) -> Result<u8, Error> {
        let store = self.readable_store()?;
        let as_of = self.as_of();
        let file = self.config.file.clone();
        let printing = Printing {
            by: By::Report(AuditView {
                summary: args.summary,
                all: true,
            }),
            policy_file: file.as_deref(),
        };
        if args.output.as_os_str() == "-" {
            self.print_estate(&store, as_of, printing, None, None)?;
            return Ok(gate::PASSED);
        }
        let failed = |error: io::Error| {
            let place = args.output.display();
            Error::new(
                ErrorKind::Io,
                format!("could not write the report `{place}`"),
            )
            .caused_by(&error)
        };
        let mut file = WholeFile::begin(&args.output).map_err(failed)?;
        let mut out = io::BufWriter::new(file.writer());
        self.print_estate(&store, as_of, printing, None, Some(&mut out))?;
        out.flush().map_err(failed)?;
        drop(out);
        file.finish().map_err(failed)?;
        Ok(gate::PASSED)
    }

    /// Prints what is concluded of the whole estate, to the console or into a file.
    pub(super) fn print_estate(
        &mut self,
        store: &Store,
        as_of: Timestamp,
        printing: Printing<'_>,
        asked: Option<&Asked>,
        file: Option<&mut dyn Write>,
    ) -> Result<u8, Error> {
        let (style, layout) = (self.style, self.console.layout());
        let (policy, console) = (&self.config.policy, &mut *self.console);
        let anchor = anchor(printing.policy_file);
        judge::judged(store, policy, as_of, &Purpose::Audit, |view, decided| {
            let assessment = decided.assessment();
            let findings = asked.map_or(&assessment.findings, |asked| &asked.findings);
            // A plan that does nothing to a key rests on no evidence, however old.
            let historical = asked.map_or(assessment.historical, |asked| asked.historical);
            let conclusion = Conclusion {
                command: printing.by.word(),
                exit_code: gate::of_findings(findings, historical),
                frame: Frame {
                    historical,
                    ..Frame::from(&assessment)
                },
                findings,
                asked: asked.is_some(),
                answers: asked.map_or(&[], |asked| &asked.answers),
                estate: Some(&assessment),
                anchor: &anchor,
            };
            let code = conclusion.exit_code;
            tell(&conclusion, style, console);
            let to_file = file.is_some();
            let out: &mut dyn Write = match file {
                Some(file) => file,
                None => &mut console.out,
            };
            let printed = (|| -> Result<(), Stop> {
                let rows = match printing.by {
                    By::Gate => report::gate(style, conclusion, layout, out)?,
                    By::Audit(view) | By::Report(view) => {
                        report::audit(style, &assessment, conclusion, view, layout, out)?
                    }
                };
                judge::list(view, decided, as_of, rows)
            })();
            match printed {
                // A report has no reader that may have gone.
                Err(Stop::Output(error)) if to_file => Err(output_failed(&error)),
                Ok(()) | Err(_) => judge::stopped(printed, code),
            }
        })
    }

    /// Prints the answers of a gate that was asked about keys.
    fn print_answers(
        &mut self,
        store: &Store,
        as_of: Timestamp,
        printing: Printing<'_>,
        asked: &Asked,
    ) -> Result<u8, Error> {
        let style = self.style;
        match style {
            // These are about the estate, whatever was asked.
            Style::Prometheus | Style::Cbom => {
                return self.print_estate(store, as_of, printing, Some(asked), None);
            }
            Style::Plain(_) | Style::Markdown | Style::Sarif | Style::Junit | Style::Github => {}
        }
        let anchor = anchor(printing.policy_file);
        let conclusion = Conclusion {
            command: printing.by.word(),
            exit_code: gate::of_findings(&asked.findings, asked.historical),
            frame: Frame {
                as_of,
                historical: asked.historical,
                roots: &asked.roots,
                assumptions: &asked.assumptions,
            },
            findings: &asked.findings,
            asked: true,
            answers: &asked.answers,
            estate: None,
            anchor: &anchor,
        };
        let code = conclusion.exit_code;
        tell(&conclusion, style, self.console);
        let layout = self.console.layout();
        let printed = report::gate(style, conclusion, layout, &mut self.console.out)
            .and_then(report::SnapshotRows::finish);
        output(printed, code)
    }
}

/// What the command line asks.
fn questions(args: &cli::Gate) -> Vec<Put> {
    let Some((key, intent)) = args.key.clone().zip(args.intent) else {
        return Vec::new();
    };
    let action = match intent {
        Intent::Delete => Action::Delete,
        Intent::Disable => Action::Disable,
        Intent::Rotate => Action::Rotate,
    };
    vec![Put {
        question: Question {
            address: None,
            action,
        },
        about: About::Key {
            key,
            to: args.to.clone(),
            but: None,
        },
    }]
}

/// The question that a change of a plan is.
fn put(change: terraform::Change) -> Put {
    let terraform::Change {
        address,
        action,
        keys,
    } = change;
    let mut to = None;
    let mut but = None;
    let action = match action {
        terraform::Action::Delete => Action::Delete,
        terraform::Action::Replace => Action::Replace,
        terraform::Action::Forget => Action::Forget,
        terraform::Action::Disable => Action::Disable,
        terraform::Action::Detach => Action::Detach,
        terraform::Action::Rotate { to: successor } => {
            match successor {
                Successor::Known(key) => to = Some(key),
                Successor::Unknown(why) => but = Some(why),
            }
            Action::Rotate
        }
    };
    Put {
        question: Question {
            address: Some(address),
            action,
        },
        about: match keys {
            Keys::One(key) => About::Key { key, to, but },
            Keys::GoogleKey(key) => About::Within(Container::GoogleKey(key)),
            Keys::Vault(host) => About::Within(Container::Vault(host)),
            Keys::Unknown(why) => About::Unknown(why),
        },
    }
}

/// Puts every question to the evidence. Each is answered from the snapshots that bear on it.
fn ask(store: &Store, policy: &Policy, as_of: Timestamp, asking: &Asking) -> Result<Asked, Error> {
    Sight::on(store, policy, as_of, |sight| {
        let mut asked = ask_all(sight, asking)?;
        asked.findings = gate::findings(&asked.answers, &asking.flaws, &policy.gate, as_of);
        Ok(asked)
    })
}

fn ask_all(sight: &mut Sight<'_>, asking: &Asking) -> Result<Asked, Error> {
    let mut asked = Asked::default();
    let mut known: Option<BTreeSet<Spelling>> = None;
    for Put { question, about } in &asking.questions {
        match about {
            About::Key { key, to, but } => {
                let to = to.as_deref();
                let answer = asked.ask_of_plan(sight, question, key, to)?;
                asked.answers.push(match but {
                    Some(why) => gate::not_passed(answer, why),
                    None => answer,
                });
            }
            About::Within(container) => {
                let known = match &mut known {
                    Some(known) => known,
                    None => known.insert(spellings(sight)?),
                };
                let inside = gate::within(container, known);
                if inside.is_empty() {
                    let why =
                        String::from("no inventory and no key service ever named a key in it");
                    let answer = gate::undecided(question, Some(container.to_string()), why);
                    asked.answers.push(answer);
                }
                for key in inside {
                    let answer = asked.ask_of_plan(sight, question, &key, None)?;
                    asked.answers.push(answer);
                }
            }
            About::Unknown(why) => {
                let answer = gate::undecided(question, None, why.clone());
                asked.answers.push(answer);
            }
        }
    }
    asked.assumptions.sort();
    asked.assumptions.dedup();
    Ok(asked)
}

impl Asked {
    /// What is wrong with the words of the command line is for the caller to mend; what is wrong with
    /// those of a plan leaves the question open.
    fn ask_of_plan(
        &mut self,
        sight: &mut Sight<'_>,
        question: &Question,
        key: &str,
        to: Option<&str>,
    ) -> Result<Answer, Error> {
        match self.ask(sight, question, key, to) {
            Err(error) if error.kind() == ErrorKind::Usage && question.address.is_some() => {
                let why = error.message().to_owned();
                Ok(gate::undecided(question, Some(key.to_owned()), why))
            }
            answered => answered,
        }
    }

    fn ask(
        &mut self,
        sight: &mut Sight<'_>,
        question: &Question,
        key: &str,
        to: Option<&str>,
    ) -> Result<Answer, Error> {
        let intent = match question.action {
            Action::Delete | Action::Replace | Action::Forget => Intent::Delete,
            Action::Disable | Action::Detach => Intent::Disable,
            Action::Rotate => {
                let check = judge::rotation(sight, key, to, 0)?;
                self.rest_on(check.historical, &check.roots, &check.assumptions);
                return Ok(gate::answer_rotation(question, &check));
            }
        };
        let check = judge::check(sight, key, intent, 0)?;
        self.rest_on(check.historical, &check.roots, &check.assumptions);
        Ok(gate::answer(question, &check))
    }

    fn rest_on(&mut self, historical: bool, roots: &[RootVerdict], assumptions: &[Assumption]) {
        self.historical |= historical;
        self.roots = roots.to_vec();
        self.assumptions.extend_from_slice(assumptions);
    }
}

/// All that stands for a key in the store and in the statements.
fn spellings(sight: &mut Sight<'_>) -> Result<BTreeSet<Spelling>, Error> {
    sight.judged(&Purpose::Audit, |_view, decided| Ok(decided.spellings()))
}

/// The reason for the exit code, on stderr, where a file format takes standard output.
fn tell(conclusion: &Conclusion<'_>, style: Style, console: &mut Console<'_>) {
    if style == Style::Plain(Format::Table) {
        return;
    }
    let denied = conclusion.at_level(Level::Deny).count();
    let (command, verdict) = (conclusion.command, conclusion.verdict());
    let findings = if denied == 1 { "finding" } else { "findings" };
    console.notice(&format!(
        "{command}: {verdict}: {denied} denied {findings} (exit code {})",
        conclusion.exit_code
    ));
    for Finding {
        code,
        subject,
        message,
        ..
    } in conclusion.at_level(Level::Deny).take(NAMED)
    {
        console.notice(&format!("  {code}: {subject}: {message}"));
    }
    if denied > NAMED {
        console.notice(&format!("  and {} more", denied - NAMED));
    }
}

/// A path that a repository may have: relative, with `/`. Of any other, the name of the file.
fn anchor(file: Option<&Path>) -> String {
    let path = file.map_or_else(|| PathBuf::from("snapkey.toml"), Path::to_path_buf);
    let parts: Option<Vec<&str>> = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            Component::Prefix(_)
            | Component::RootDir
            | Component::ParentDir
            | Component::CurDir => None,
        })
        .collect();
    parts.map_or_else(
        || {
            let name = path.file_name().and_then(|name| name.to_str());
            name.unwrap_or("snapkey.toml").to_owned()
        },
        |parts| parts.join("/"),
    )
}
