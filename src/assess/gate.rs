//! Exit codes of what was concluded, and the findings that answer a pipeline: settled here, from
//! verdicts and levels alone, before anything is printed (design sections 6.3 and 7).

use std::collections::BTreeSet;
use std::fmt;

use super::waivers::{self, Run};
use crate::model::gate::{Action, Answer};
use crate::model::key_id::{Match, Provider, Spelling};
use crate::model::policy::GatePolicy;
use crate::model::verdict::{
    Assessment, Class, Code, Deletability, DependantCounts, Doubt, DoubtKind, Finding, KeyCheck,
    Level, RotationCheck, RotationVerdict, SafeAfter, UnitVerdict,
};
use crate::model::{KeyId, Timestamp};

/// Passed.
pub const PASSED: u8 = 0;
/// A definite no.
pub const NO: u8 = 1;
/// Undecided: evidence is missing, stale or incomplete.
pub const UNDECIDED: u8 = 3;

/// `audit`: as its findings say.
pub fn of_audit(assessment: &Assessment) -> u8 {
    of_findings(&assessment.findings, assessment.historical)
}

/// A denied definite finding wins over a denied undecided one.
pub fn of_findings(findings: &[Finding], historical: bool) -> u8 {
    let denied = |class| {
        findings
            .iter()
            .any(|f| f.level == Level::Deny && f.code.class() == class)
    };
    let code = if denied(Class::Definite) {
        NO
    } else if denied(Class::Undecided) {
        UNDECIDED
    } else {
        PASSED
    };
    only_now(code, historical)
}

/// `check --for delete|disable`.
pub fn of_check(check: &KeyCheck) -> u8 {
    only_now(of_unit(&check.verdict), check.historical)
}

fn of_unit(unit: &UnitVerdict) -> u8 {
    match unit.verdict {
        Deletability::Held => NO,
        Deletability::Gone if unit.lost || unit.lost_snapshots > 0 => NO,
        Deletability::Gone if !unit.doubts.is_empty() => UNDECIDED,
        Deletability::Unknown => UNDECIDED,
        Deletability::Gone | Deletability::Safe => PASSED,
    }
}

/// `check --for rotate`.
pub fn of_rotation(check: &RotationCheck) -> u8 {
    let code = match check.verdict {
        RotationVerdict::Pass => PASSED,
        RotationVerdict::Fail => NO,
        RotationVerdict::Unknown => UNDECIDED,
    };
    only_now(code, check.historical)
}

/// A pass that later evidence in the store may contradict is no pass.
fn only_now(code: u8, historical: bool) -> u8 {
    if code == PASSED && historical {
        UNDECIDED
    } else {
        code
    }
}

/// Where a pipeline's question comes from.
#[derive(Clone, Debug)]
pub struct Question {
    /// The resource of a plan; `None`: the command line.
    pub address: Option<String>,
    pub action: Action,
}

/// The answer to a question about a key that would be deleted or disabled.
pub fn answer(question: &Question, check: &KeyCheck) -> Answer {
    let unit = &check.verdict;
    let lost = (unit.lost || unit.lost_snapshots > 0)
        .then(|| String::from("the key is destroyed already, and something was lost with it"));
    Answer {
        address: question.address.clone(),
        action: question.action,
        key: Some(check.key.id.clone()),
        to: None,
        verdict: unit.verdict.word(),
        safe_after: unit.safe_after,
        counts: unit.counts,
        doubts: kinds(&unit.doubts),
        details: lost.into_iter().collect(),
        exit_code: of_check(check),
    }
}

/// The answer to a question about a rotation.
pub fn answer_rotation(question: &Question, check: &RotationCheck) -> Answer {
    Answer {
        address: question.address.clone(),
        action: question.action,
        key: Some(check.key.id.clone()),
        to: check.to.as_ref().map(|to| to.id.clone()),
        verdict: check.verdict.word(),
        safe_after: check.keep_until,
        counts: check.old.counts,
        doubts: kinds(&check.old.doubts),
        details: check.reasons.clone(),
        exit_code: of_rotation(check),
    }
}

/// The answer to a question about a key that nothing says enough about.
pub fn undecided(question: &Question, key: Option<String>, why: String) -> Answer {
    Answer {
        address: question.address.clone(),
        action: question.action,
        key,
        to: None,
        verdict: Deletability::Unknown.word(),
        safe_after: SafeAfter::None,
        counts: DependantCounts::default(),
        doubts: Vec::new(),
        details: vec![why],
        exit_code: UNDECIDED,
    }
}

fn kinds(doubts: &[Doubt]) -> Vec<DoubtKind> {
    let kinds: BTreeSet<DoubtKind> = doubts.iter().map(|doubt| doubt.kind).collect();
    kinds.into_iter().collect()
}

/// The same answer where something else keeps it from passing.
pub fn not_passed(answer: Answer, why: &str) -> Answer {
    let mut details = answer.details;
    details.push(why.to_owned());
    let passed = answer.exit_code == PASSED;
    Answer {
        verdict: if passed {
            RotationVerdict::Unknown.word()
        } else {
            answer.verdict
        },
        exit_code: if passed { UNDECIDED } else { answer.exit_code },
        details,
        ..answer
    }
}

/// What a plan takes away whole, with the keys in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Container {
    /// `projects/…/cryptoKeys/K`: all its versions.
    GoogleKey(String),
    /// A host of Azure Key Vault or Managed HSM: all keys.
    Vault(String),
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GoogleKey(key) => f.write_str(key),
            Self::Vault(host) => write!(f, "https://{host}/"),
        }
    }
}

/// Of all that stands for a key, what is in a container: units, or spellings that say less. What may
/// be any key at all is a doubt about each of them.
pub fn within(container: &Container, spellings: &BTreeSet<Spelling>) -> BTreeSet<String> {
    let inside: Box<dyn Fn(&Spelling) -> bool> = match container {
        Container::Vault(host) => Box::new(|spelling| {
            let named = match spelling {
                Spelling::Complete(KeyId::Azure(version)) => version.key(),
                Spelling::AzureKey(key) => key,
                Spelling::Complete(KeyId::Aws(_) | KeyId::Gcp(_) | KeyId::Kmip(_))
                | Spelling::AwsId { .. }
                | Spelling::AwsAlias(_)
                | Spelling::AzureVersion(_)
                | Spelling::GcpKey(_)
                | Spelling::Opaque(_) => return false,
            };
            named.host().eq_ignore_ascii_case(host)
        }),
        Container::GoogleKey(key) => {
            let key = Spelling::read(key);
            Box::new(move |spelling| {
                spelling.provider() == Some(Provider::Gcp)
                    && spelling.compare(&key) != Match::Different
            })
        }
    };
    spellings
        .iter()
        .filter(|spelling| inside(spelling))
        .map(|spelling| match spelling {
            Spelling::Complete(key) => key.unit().to_string(),
            Spelling::AzureKey(_)
            | Spelling::GcpKey(_)
            | Spelling::AwsId { .. }
            | Spelling::AwsAlias(_)
            | Spelling::AzureVersion(_)
            | Spelling::Opaque(_) => spelling.to_string(),
        })
        .collect()
}

/// What the gate finds in its answers, and where they may not be all, waivers applied; sorted by
/// level, code, subject.
pub fn findings(
    answers: &[Answer],
    flaws: &[(String, String)],
    policy: &GatePolicy,
    as_of: Timestamp,
) -> Vec<Finding> {
    let mut found: Vec<Finding> = answers
        .iter()
        .filter_map(|answer| {
            let code = match (answer.exit_code, answer.action) {
                (PASSED, _) => return None,
                (NO, Action::Rotate) => Code::RotationRefused,
                (NO, _) => Code::KeyStillNeeded,
                (_undecided, _) => Code::KeyUndecided,
            };
            let subject = answer.key.as_ref().or(answer.address.as_ref());
            Some(Finding {
                code,
                level: policy.level(code),
                subject: subject.cloned().unwrap_or_default(),
                message: message(answer, code),
                waived: None,
            })
        })
        .collect();
    found.extend(flaws.iter().map(|(file, flaw)| Finding {
        code: Code::KeyUndecided,
        level: policy.level(Code::KeyUndecided),
        subject: file.clone(),
        message: flaw.clone(),
        waived: None,
    }));
    found.sort();
    found.dedup();
    waivers::applied(found, policy, Run::Question, as_of)
}

fn message(answer: &Answer, code: Code) -> String {
    let mut said = format!("to be {}", answer.action.done());
    if let Some(to) = &answer.to {
        said.push_str(&format!(" to {to}"));
    }
    if let Some(address) = &answer.address {
        said.push_str(&format!(" by {address}"));
    }
    let mut why: Vec<String> = Vec::new();
    if answer.counts.total() > 0 && code != Code::RotationRefused {
        let until = match answer.safe_after {
            SafeAfter::Date(at) => format!(" until {at}"),
            SafeAfter::NotBefore(Some(at)) => format!(" until {at} or longer"),
            SafeAfter::NotBefore(None) | SafeAfter::Indefinite | SafeAfter::None => String::new(),
        };
        why.push(format!("needed by {}{until}", answer.counts));
    }
    why.extend(answer.details.iter().cloned());
    let link = if code == Code::KeyUndecided {
        why.extend(answer.doubts.iter().map(|kind| kind.word().to_owned()));
        if why.is_empty() {
            why.push(String::from(
                "the store holds later evidence, which is not seen",
            ));
        }
        ", which cannot be decided"
    } else {
        ", but"
    };
    let colon = if code == Code::KeyStillNeeded {
        ""
    } else {
        ":"
    };
    format!("{said}{link}{colon} {}", why.join("; "))
}
