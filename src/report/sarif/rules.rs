//! What SARIF says of a code whether or not something was found, and the notifications besides.

use serde::Serialize;

use super::{Message, Severity, message};
use crate::model::verdict::{Code, Level};

/// The page whose sections are the rules' help: one for each code.
const HELP: &str = include_str!("../../../docs/rules.md");

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    id: &'static str,
    name: String,
    short_description: Message,
    full_description: Message,
    help: Help,
    default_configuration: Configuration,
    properties: Properties,
}

/// GitHub shows `markdown`, other viewers `text`.
#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
struct Configuration {
    level: Severity,
}

#[derive(Serialize)]
struct Properties {
    #[serde(rename = "problem.severity")]
    problem_severity: &'static str,
    #[serde(rename = "security-severity", skip_serializing_if = "Option::is_none")]
    security_severity: Option<&'static str>,
    tags: Vec<&'static str>,
}

pub(super) fn rule(code: Code) -> Rule {
    let help = section(code);
    let severity = severity(code);
    let mut tags = vec!["backup", "encryption", code.class().word()];
    // GitHub reads the number only of what is tagged so.
    tags.extend(severity.map(|_| "security"));
    Rule {
        id: code.word(),
        name: name(code.word()),
        short_description: Message::new(code.about()),
        full_description: Message::new(code.about()),
        help: Help {
            text: message(help),
            markdown: help.to_owned(),
        },
        default_configuration: Configuration {
            level: code.default_level().into(),
        },
        properties: Properties {
            problem_severity: match code.default_level() {
                Level::Deny => "error",
                Level::Warn => "warning",
                Level::Allow => "recommendation",
            },
            security_severity: severity,
            tags,
        },
    }
}

/// The section of the code on the page, without its heading.
fn section(code: Code) -> &'static str {
    let heading = format!("\n## {}\n", code.word());
    let rest = HELP.split_once(&heading).map(|(_, rest)| rest);
    let rest = rest.unwrap_or_else(|| code.about());
    let section = rest
        .split_once("\n## ")
        .map_or(rest, |(section, _)| section);
    section.trim()
}

/// How much is at stake, on the scale of CVSS that GitHub sorts by: 9 and more what cannot be
/// undone, 7 and more what keeps backups from being restored now, less what will. What could not
/// be told has no number: it is not known to be wrong, and must not look mild.
const fn severity(code: Code) -> Option<&'static str> {
    match code {
        Code::SnapshotLost | Code::KeyPendingDeletionInUse | Code::KeyStillNeeded => Some("9.1"),
        Code::SnapshotBlocked | Code::ActiveKeyInvalid | Code::KeyDisabledInUse => Some("7.5"),
        Code::RotationRefused | Code::HoldRemoved => Some("7.0"),
        Code::SnapshotConditional | Code::KeyExpiresBeforeSnapshots => Some("5.0"),
        Code::KeyRotationOverdue => Some("4.0"),
        Code::KeyIdConflict
        | Code::KeyCameBack
        | Code::HoldUnused
        | Code::WaiverUnused
        | Code::WaiverExpired
        | Code::KeyUndecided
        | Code::SnapshotUnknown
        | Code::KeyUnresolved
        | Code::EstateIncomplete
        | Code::EstateEmpty
        | Code::ProjectIncomplete
        | Code::ProjectStale
        | Code::ProjectMissing
        | Code::ProbeStale
        | Code::ClockSkew => None,
    }
}

/// What a run says besides its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Historical,
    LeftOut,
    Allowed,
    Undecided,
    Assumption,
    Evidence,
}

impl Kind {
    pub(super) const ALL: [Self; 6] = [
        Self::Historical,
        Self::LeftOut,
        Self::Allowed,
        Self::Undecided,
        Self::Assumption,
        Self::Evidence,
    ];

    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Historical => "historical",
            Self::LeftOut => "left-out",
            Self::Allowed => "allowed",
            Self::Undecided => "undecided",
            Self::Assumption => "assumption",
            Self::Evidence => "evidence",
        }
    }

    const fn about(self) -> &'static str {
        match self {
            Self::Historical => "The store holds later evidence, which is not seen.",
            Self::LeftOut => "There are more findings than GitHub takes.",
            Self::Allowed => "Findings that the policy allows are left out.",
            Self::Undecided => "Something could not be told; the findings are results too.",
            Self::Assumption => "Something was taken on trust.",
            Self::Evidence => "Where the evidence comes from, and when it was read.",
        }
    }
}

/// GitHub wants of a notification what it wants of a rule.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notice {
    id: &'static str,
    short_description: Message,
    full_description: Message,
    help: Message,
}

pub(super) fn notice(kind: Kind) -> Notice {
    Notice {
        id: kind.id(),
        short_description: Message::new(kind.about()),
        full_description: Message::new(kind.about()),
        help: Message::new(kind.about()),
    }
}

/// `SnapshotLost`, the form in which SARIF wants names.
fn name(id: &str) -> String {
    id.split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::verdict::Class;

    #[test]
    fn every_rule_has_its_help() {
        for code in Code::ALL {
            let section = section(*code);
            let class = code.class();
            assert!(
                section.starts_with(&format!("`{}`, ", class.word())),
                "{code}"
            );
            assert!(section.len() > 200 && !section.contains("\n## "), "{code}");
            let undecided = class == Class::Undecided;
            assert!(!undecided || severity(*code).is_none(), "{code}");
        }
        assert_eq!(name("key-id-conflict"), "KeyIdConflict");
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
    }
}
