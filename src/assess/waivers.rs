//! Waivers: findings that the operator puts up with until a date, for a reason. They change levels
//! and thereby exit codes, never a verdict.

use crate::model::Timestamp;
use crate::model::key_id::{Match, Spelling};
use crate::model::policy::{GatePolicy, Waiver};
use crate::model::verdict::{Code, Finding, Level, Waived};

/// What the findings were made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// The whole estate: every waiver of what an audit can find has to match something.
    Audit,
    /// Some keys: a waiver for another key is none of this run's business.
    Question,
}

/// The findings with their waivers applied, and with those that the waivers make themselves; sorted
/// by level, code, subject.
pub(super) fn applied(
    mut findings: Vec<Finding>,
    policy: &GatePolicy,
    run: Run,
    as_of: Timestamp,
) -> Vec<Finding> {
    let mut own: Vec<Finding> = Vec::new();
    for waiver in &policy.waivers {
        let is_asked = match run {
            Run::Audit => false,
            Run::Question => true,
        };
        if waiver.code.is_answer() != is_asked {
            continue;
        }
        let matching = findings
            .iter_mut()
            .filter(|finding| covers(waiver, finding));
        if waiver.until <= as_of {
            let met = matching.count();
            if met > 0 || !is_asked {
                own.push(about(waiver, Code::WaiverExpired, policy));
            }
            continue;
        }
        let mut met = 0_usize;
        for finding in matching {
            met += 1;
            finding.level = Level::Allow;
            if finding
                .waived
                .as_ref()
                .is_none_or(|w| w.until < waiver.until)
            {
                finding.waived = Some(Waived {
                    until: waiver.until,
                    reason: waiver.reason.clone(),
                });
            }
        }
        if met == 0 && !is_asked {
            own.push(about(waiver, Code::WaiverUnused, policy));
        }
    }
    findings.append(&mut own);
    findings.sort_by(|a, b| {
        (a.level, a.code, &a.subject, &a.message).cmp(&(b.level, b.code, &b.subject, &b.message))
    });
    findings
}

/// A finding of the waiver's code about its subject: the same text, or the same key spelled
/// otherwise.
fn covers(waiver: &Waiver, finding: &Finding) -> bool {
    if waiver.code != finding.code {
        return false;
    }
    waiver.subject == finding.subject
        || Spelling::read(&waiver.subject).compare(&Spelling::read(&finding.subject)) == Match::Same
}

fn about(waiver: &Waiver, code: Code, policy: &GatePolicy) -> Finding {
    let Waiver {
        code: waived,
        subject,
        until,
        reason,
    } = waiver;
    let message = if code == Code::WaiverExpired {
        format!("the waiver ended at {until} (it said: {reason})")
    } else {
        format!("no finding matches the waiver (it says: {reason})")
    };
    Finding {
        code,
        level: policy.level(code),
        subject: format!("{waived} {subject}"),
        message,
        waived: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "https://vault.vault.azure.net/keys/backup/0123456789abcdef0123456789abcdef";
    const AS_OF: &str = "2026-11-01T06:00:00Z";

    fn at(text: &str) -> Timestamp {
        Timestamp::floor(text).unwrap()
    }

    fn finding(code: Code, subject: &str) -> Finding {
        Finding {
            code,
            level: Level::Deny,
            subject: subject.to_owned(),
            message: String::from("12 snapshots"),
            waived: None,
        }
    }

    fn waiver(code: Code, subject: &str, until: &str) -> Waiver {
        Waiver {
            code,
            subject: subject.to_owned(),
            until: at(until),
            reason: String::from("agreed"),
        }
    }

    fn weighed(findings: &[Finding], waivers: Vec<Waiver>, run: Run) -> Vec<(Code, Level, String)> {
        let policy = GatePolicy {
            waivers,
            ..GatePolicy::default()
        };
        applied(findings.to_vec(), &policy, run, at(AS_OF))
            .into_iter()
            .map(|finding| {
                assert_eq!(finding.waived.is_some(), finding.level == Level::Allow);
                (finding.code, finding.level, finding.subject)
            })
            .collect()
    }

    #[test]
    fn what_a_waiver_makes_of_a_finding() {
        let lost = [finding(Code::SnapshotLost, KEY)];
        let upper = KEY.replace("vault.vault", "VAULT.vault");
        let one = |code, subject: &str, until| vec![waiver(code, subject, until)];
        let deny = |code, subject: &str| (code, Level::Deny, subject.to_owned());
        let warn = |code, subject: &str| (code, Level::Warn, subject.to_owned());
        let allow = |code, subject: &str| (code, Level::Allow, subject.to_owned());
        let named = |subject: &str| format!("snapshot-lost {subject}");
        let table = [
            ("none", vec![], vec![deny(Code::SnapshotLost, KEY)]),
            (
                "fits",
                one(Code::SnapshotLost, KEY, "2026-11-01T06:00:01Z"),
                vec![allow(Code::SnapshotLost, KEY)],
            ),
            (
                "fits in another spelling",
                one(Code::SnapshotLost, &upper, "2026-12-01T00:00:00Z"),
                vec![allow(Code::SnapshotLost, KEY)],
            ),
            (
                "ended this second",
                one(Code::SnapshotLost, KEY, AS_OF),
                vec![
                    deny(Code::SnapshotLost, KEY),
                    deny(Code::WaiverExpired, &named(KEY)),
                ],
            ),
            (
                "another code",
                one(Code::SnapshotBlocked, KEY, "2026-12-01T00:00:00Z"),
                vec![
                    deny(Code::SnapshotLost, KEY),
                    warn(Code::WaiverUnused, &format!("snapshot-blocked {KEY}")),
                ],
            ),
            (
                "another key",
                one(Code::SnapshotLost, "payments", "2026-12-01T00:00:00Z"),
                vec![
                    deny(Code::SnapshotLost, KEY),
                    warn(Code::WaiverUnused, &named("payments")),
                ],
            ),
            (
                "of a question that was not asked",
                one(Code::KeyStillNeeded, KEY, "2026-12-01T00:00:00Z"),
                vec![deny(Code::SnapshotLost, KEY)],
            ),
        ];
        for (name, waivers, expected) in table {
            assert_eq!(weighed(&lost, waivers, Run::Audit), expected, "{name}");
        }
    }

    #[test]
    fn a_question_minds_its_own_waivers_only() {
        let needed = [finding(Code::KeyStillNeeded, KEY)];
        let other = KEY.replace("backup", "other");
        for (waivers, expected) in [
            (
                vec![waiver(Code::KeyStillNeeded, &other, AS_OF)],
                vec![Level::Deny],
            ),
            (
                vec![waiver(Code::KeyStillNeeded, &other, "2026-12-01T00:00:00Z")],
                vec![Level::Deny],
            ),
            (
                vec![waiver(Code::KeyStillNeeded, KEY, AS_OF)],
                vec![Level::Deny, Level::Deny],
            ),
            (
                vec![waiver(Code::KeyStillNeeded, KEY, "2026-12-01T00:00:00Z")],
                vec![Level::Allow],
            ),
            (
                vec![waiver(Code::SnapshotLost, KEY, AS_OF)],
                vec![Level::Deny],
            ),
        ] {
            let levels: Vec<Level> = weighed(&needed, waivers, Run::Question)
                .into_iter()
                .map(|(_, level, _)| level)
                .collect();
            assert_eq!(levels, expected);
        }
    }
}
