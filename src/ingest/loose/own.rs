//! snapkey's own forms, one record at a time: the inventory of any other snapshot system and
//! recorded key answers. A CSV record is turned into the same tree as a line of NDJSON first, so
//! there is one reader for both.

use csv::StringRecord;

use crate::ingest::node::{Fields, MAX_TEXT, Node, fault};
use crate::ingest::path;
use crate::ingest::report::quoted;
use crate::ingest::snapshot;
use crate::model::evidence::{Condition, KeyColumn, Observation, SnapshotStatus, UnknownReason};
use crate::model::reading::{Declared, DeclaredKind};
use crate::model::{KeyId, Timestamp};

/// The fields of the inventory form.
pub(super) const INVENTORY_FIELDS: [&str; 11] = [
    "kind",
    "system",
    "project",
    "cluster",
    "id",
    "status",
    "created_at",
    "expires_at",
    "keep",
    "keys",
    "at",
];
/// The fields of the form for key answers.
pub(super) const ANSWER_FIELDS: [&str; 9] = [
    "key",
    "condition",
    "native",
    "reason",
    "deadline",
    "at",
    "endpoint",
    "identity",
    "proof",
];
/// The kind of a record that is a snapshot.
const SNAPSHOT: &str = "snapshot";
/// The word for "not encrypted with a customer key".
const NO_KEY: &str = "none";

/// One record of the inventory form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Base URL of the system that the record names.
    pub(super) base_url: Option<String>,
    pub(super) project: Option<String>,
    pub(super) cluster: Option<String>,
    pub(super) at: Option<Timestamp>,
    pub(super) item: LineItem,
    pub(super) flaws: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum LineItem {
    Snapshot(OwnSnapshot),
    Declared(Declared),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct OwnSnapshot {
    pub(super) id: String,
    pub(super) status: SnapshotStatus,
    pub(super) created_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) keep: bool,
    pub(super) keys: KeyColumn,
}

/// Whether a record has a kind of the inventory form.
pub(super) fn is_line(node: &Node) -> bool {
    let kind = node.get("kind").and_then(Node::as_text).unwrap_or_default();
    kind == SNAPSHOT
        || DeclaredKind::ALL
            .into_iter()
            .any(|known| known.word() == kind)
}

/// Reads a record of the inventory form.
pub(super) fn line(node: &Node) -> Result<Line, String> {
    let mut fields = Fields::of(node)?;
    let kind = fields.text("kind").unwrap_or_default();
    let declared = DeclaredKind::ALL.into_iter().find(|k| k.word() == kind);
    if declared.is_none() && kind != SNAPSHOT {
        return Err(format!("has the unknown kind {}", quoted(kind)));
    }
    let base_url = fields.text("system").map(system_url).transpose()?;
    let at = match fields.any("at") {
        None => None,
        // A record whose time cannot be read has no time that may stand in for it.
        Some(_) => Some(fields.sighting("at").ok_or("has an `at` that is no time")?),
    };
    let keep = match fields.any("keep") {
        None => false,
        Some(Node::Bool(keep)) => *keep,
        Some(Node::Text(text)) if text == "false" => false,
        Some(Node::Text(text)) if text == "true" => true,
        Some(_) => {
            fields.flaw("`keep` is neither true nor false".to_owned());
            true
        }
    };
    // A date that is given twice is none.
    let expires_at = fields
        .until("expires_at")
        .filter(|_| fields.all("expires_at").nth(1).is_none());
    let keys = keys(&mut fields);
    let id = fields.text("id").map(str::to_owned);
    let item = match declared {
        None => LineItem::Snapshot(OwnSnapshot {
            id: id.ok_or("has no usable `id`")?,
            status: snapshot::status(fields.text("status")),
            created_at: fields.sighting("created_at"),
            expires_at,
            keep,
            keys,
        }),
        Some(kind) => LineItem::Declared(Declared {
            kind,
            cluster: fields.text("cluster").map(str::to_owned),
            id,
            keys: match keys {
                KeyColumn::Absent => Vec::new(),
                KeyColumn::Named(keys) => keys,
                KeyColumn::NotEncrypted => {
                    return Err(format!(
                        "says that a {} has no key; leave the record out instead",
                        kind.word()
                    ));
                }
            },
            until: expires_at.filter(|_| !keep),
        }),
    };
    Ok(Line {
        base_url,
        project: fields.text("project").map(str::to_owned),
        cluster: fields.text("cluster").map(str::to_owned),
        at,
        item,
        flaws: fields.into_flaws(),
    })
}

/// Two systems may use the same project ids: a system is a base URL of its own.
fn system_url(system: &str) -> Result<String, String> {
    if system.contains("://") {
        path::base_url(system)
    } else {
        Ok(format!("system:{system}"))
    }
}

/// What cannot be read is a key that nobody knows, never "no key".
fn keys(fields: &mut Fields<'_>) -> KeyColumn {
    let mut keys: Vec<String> = Vec::new();
    let given: Vec<&Node> = fields
        .all("keys")
        .flat_map(|value| match value.as_list() {
            Some(list) => list.iter().collect(),
            None => vec![value],
        })
        .collect();
    for value in given {
        let key = match value {
            Node::Text(text) => match fault(text) {
                None => text.clone(),
                Some(fault) => {
                    fields.flaw(format!("a key {fault}"));
                    text[..text.floor_char_boundary(MAX_TEXT)].to_owned()
                }
            },
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::List(_) | Node::Object(_) => {
                fields.flaw(format!("a key is {}", value.kind()));
                format!("unreadable: {}", value.kind())
            }
        };
        if !key.is_empty() && !keys.contains(&key) {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        return KeyColumn::Absent;
    }
    if keys == [NO_KEY] {
        return KeyColumn::NotEncrypted;
    }
    if keys.iter().any(|key| key == NO_KEY) {
        fields.flaw("`keys` names keys besides `none`".to_owned());
        keys.retain(|key| key != NO_KEY);
    }
    KeyColumn::Named(keys)
}

/// Reads a record of the form for key answers, with its flaws.
///
/// What cannot be read in the answer makes it a non-answer (`unknown`) of its time and never
/// drops it: the newest answer counts, and an older `enabled` must not stand in its place.
pub(super) fn key_answer(node: &Node) -> Result<(Observation, Vec<String>), String> {
    let mut fields = Fields::of(node)?;
    let key = fields.text("key").ok_or("has no usable `key`")?;
    let key: KeyId = key
        .parse()
        .map_err(|error| format!("names no complete key: {error}"))?;
    let at = fields.sighting("at").ok_or("has no `at` that is a time")?;
    let stated = fields.all("condition").count();
    if stated == 0 {
        return Err("has no `condition`".to_owned());
    }
    let word = fields.text("condition").map(str::to_owned);
    let reason = fields.text("reason").map(str::to_owned);
    let stated_date = fields.any("deadline").is_some();
    let twice = stated > 1 || fields.all("deadline").nth(1).is_some();
    let date = fields.until("deadline").filter(|_| !twice);
    let proof = fields.text("proof").map(str::to_owned);
    let unknown = |reason, detail: &str| Condition::Unknown {
        reason,
        detail: Some(detail.to_owned()),
    };
    let malformed = |what| unknown(UnknownReason::Malformed, what);
    let condition = match word.as_deref() {
        None => malformed("the condition cannot be read"),
        Some(_) if twice => malformed("the answer contradicts itself"),
        // Without its expiry `enabled` would say more than the answer did.
        Some("enabled") if stated_date && date.is_none() => {
            malformed("the deadline cannot be read")
        }
        Some("enabled") => Condition::Enabled { expires: date },
        Some("unwrap-only") => Condition::UnwrapOnly {
            why: reason.unwrap_or_else(|| "not stated".to_owned()),
        },
        Some("disabled") => Condition::Disabled,
        Some("pending-deletion") => Condition::PendingDeletion { deadline: date },
        Some("soft-deleted") => Condition::SoftDeleted { purge: date },
        Some("material-missing") => Condition::MaterialMissing,
        Some("unavailable") => Condition::Unavailable { what: reason },
        Some("transient") => Condition::Transient,
        Some("destroyed") => Condition::Destroyed {
            proof: proof.unwrap_or_else(|| "stated without proof".to_owned()),
        },
        Some("unknown") => {
            let known = reason
                .as_deref()
                .and_then(|word| UnknownReason::ALL.into_iter().find(|r| r.word() == word));
            match (known, &reason) {
                (Some(reason), _) => Condition::Unknown {
                    reason,
                    detail: None,
                },
                (None, Some(word)) => {
                    fields.flaw(format!("gives the unknown reason {}", quoted(word)));
                    unknown(UnknownReason::UnrecognisedState, word)
                }
                (None, None) => unknown(UnknownReason::UnrecognisedState, "no reason was given"),
            }
        }
        Some(other) => {
            fields.flaw(format!("has the unknown condition {}", quoted(other)));
            unknown(UnknownReason::UnrecognisedState, other)
        }
    };
    let observation = Observation {
        key,
        at,
        condition,
        native: fields.text("native").map(str::to_owned),
        endpoint: path::without_secrets(fields.text("endpoint").unwrap_or("recorded")),
        identity: fields.text("identity").map(str::to_owned),
        related: Vec::new(),
        stale_at: date.filter(|date| *date > at),
    };
    Ok((observation, fields.into_flaws()))
}

/// Members that the form does not have.
pub(super) fn unknown_fields(node: &Node, known: &[&str]) -> Vec<String> {
    match node {
        Node::Object(members) => members
            .iter()
            .filter(|(name, _)| !known.contains(&name.as_str()))
            .map(|(name, _)| name.clone())
            .collect(),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => Vec::new(),
    }
}

/// A CSV record as a line of NDJSON would have it: empty is absent, `keys` is a list.
pub(super) fn from_csv(header: &StringRecord, record: &StringRecord) -> Result<Node, String> {
    if header.len() != record.len() {
        return Err(format!(
            "has {} columns where the header has {}",
            record.len(),
            header.len()
        ));
    }
    let members = header.iter().zip(record).filter_map(|(name, value)| {
        let value = value.trim();
        let name = name.trim().to_owned();
        if value.is_empty() {
            None
        } else if name == "keys" {
            let keys = value.split(';').map(str::trim);
            let keys = keys.filter(|key| !key.is_empty());
            let keys = keys.map(|key| Node::Text(key.to_owned())).collect();
            Some((name, Node::List(keys)))
        } else {
            Some((name, Node::Text(value.to_owned())))
        }
    });
    Ok(Node::Object(members.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(json: &str) -> Node {
        Node::read(json.as_bytes()).unwrap()
    }

    fn snapshot(json: &str) -> (OwnSnapshot, usize) {
        let line = line(&node(json)).unwrap();
        match line.item {
            LineItem::Snapshot(snapshot) => (snapshot, line.flaws.len()),
            LineItem::Declared(declared) => panic!("{declared:?}"),
        }
    }

    #[test]
    fn keys_are_named_denied_or_not_recorded() {
        let named = |keys: &[&str]| KeyColumn::Named(keys.iter().map(|&k| k.into()).collect());
        let table = [
            (r#""x":1"#, KeyColumn::Absent, 0),
            (r#""keys":null"#, KeyColumn::Absent, 0),
            (r#""keys":[]"#, KeyColumn::Absent, 0),
            (r#""keys":"""#, KeyColumn::Absent, 0),
            (r#""keys":"none""#, KeyColumn::NotEncrypted, 0),
            (r#""keys":["none"]"#, KeyColumn::NotEncrypted, 0),
            (r#""keys":"a;b""#, named(&["a;b"]), 0),
            (r#""keys":["a","b","a"]"#, named(&["a", "b"]), 0),
            (r#""keys":["a","none"]"#, named(&["a"]), 1),
            (r#""keys":7"#, named(&["unreadable: a number"]), 1),
            (
                r#""keys":["a",{}]"#,
                named(&["a", "unreadable: an object"]),
                1,
            ),
            (r#""keys":"a","keys":"none""#, named(&["a"]), 2),
        ];
        for (keys, expected, flaws) in table {
            let (read, found) = snapshot(&format!(r#"{{"kind":"snapshot","id":"s",{keys}}}"#));
            assert_eq!((read.keys, found), (expected, flaws), "{keys}");
        }
    }

    #[test]
    fn csv_and_ndjson_read_the_same() {
        let header = StringRecord::from(INVENTORY_FIELDS.to_vec());
        let record = StringRecord::from(vec![
            "snapshot",
            "tape",
            "p",
            "",
            "s1",
            "completed",
            "2026-10-01T00:00:00Z",
            "2026-11-01T00:00:00.5Z",
            "true",
            "k1; k2",
            "2026-11-01T00:00:00Z",
        ]);
        let from_csv = from_csv(&header, &record).unwrap();
        let from_json = node(
            r#"{"kind":"snapshot","system":"tape","project":"p","id":"s1","status":"completed",
                "created_at":"2026-10-01T00:00:00Z","expires_at":"2026-11-01T00:00:00.5Z","keep":true,
                "keys":["k1","k2"],"at":"2026-11-01T00:00:00Z"}"#,
        );
        assert_eq!(line(&from_csv).unwrap(), line(&from_json).unwrap());
        let read = line(&from_csv).unwrap();
        assert_eq!(read.base_url.as_deref(), Some("system:tape"));
        assert_eq!(read.cluster, None);
        assert!(super::from_csv(&header, &StringRecord::from(vec!["x"])).is_err());
    }

    #[test]
    fn other_lines_hold_until_their_date_or_for_ever() {
        let until = |json: &str| match line(&node(json)).unwrap().item {
            LineItem::Declared(declared) => declared.until.is_some(),
            LineItem::Snapshot(_) => panic!("{json}"),
        };
        let dated = r#""expires_at":"2026-11-01T00:00:00Z""#;
        assert!(until(&format!(
            r#"{{"kind":"download","keys":["k"],{dated}}}"#
        )));
        assert!(!until(&format!(
            r#"{{"kind":"download","keep":true,{dated}}}"#
        )));
        assert!(!until(&format!(r#"{{"kind":"download",{dated},{dated}}}"#)));
        assert!(!until(r#"{"kind":"pit-window","expires_at":"soon"}"#));
        for (json, why) in [
            (r#"{"kind":"current-key","keys":"none"}"#, "has no key"),
            (r#"{"kind":"backup"}"#, "unknown kind"),
            (r#"{"kind":"snapshot"}"#, "`id`"),
            (r#"{"kind":"snapshot","id":"s","at":"now"}"#, "`at`"),
            (
                r#"{"kind":"snapshot","id":"s","system":"ftp://x"}"#,
                "neither http",
            ),
        ] {
            let found = line(&node(json)).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
    }

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-1111-2222-3333-444455556666";

    #[test]
    fn key_answers_never_say_more_than_was_said() {
        // (fields, condition, date, reason, stale, flaws)
        type Row<'a> = (&'a str, &'a str, bool, Option<&'a str>, bool, usize);
        let later = r#""deadline":"2026-12-01T00:00:00Z""#;
        let table = [
            (r#""condition":"enabled""#, "enabled", false, None, false, 0),
            (r#""condition":"enabled",L"#, "enabled", true, None, true, 0),
            (
                r#""condition":"enabled","deadline":"2026-01-01T00:00:00Z""#,
                "enabled",
                true,
                None,
                false,
                0,
            ),
            (
                r#""condition":"enabled","deadline":"?""#,
                "unknown",
                false,
                Some("malformed"),
                false,
                1,
            ),
            (
                r#""condition":"unwrap-only","reason":"expired""#,
                "unwrap-only",
                false,
                Some("expired"),
                false,
                0,
            ),
            (
                r#""condition":"disabled",L"#,
                "disabled",
                false,
                None,
                true,
                0,
            ),
            (
                r#""condition":"pending-deletion",L"#,
                "pending-deletion",
                true,
                None,
                true,
                0,
            ),
            (
                r#""condition":"pending-deletion","deadline":7"#,
                "pending-deletion",
                false,
                None,
                false,
                1,
            ),
            (
                r#""condition":"soft-deleted",L"#,
                "soft-deleted",
                true,
                None,
                true,
                0,
            ),
            (
                r#""condition":"material-missing""#,
                "material-missing",
                false,
                None,
                false,
                0,
            ),
            (
                r#""condition":"unavailable","reason":"hsm""#,
                "unavailable",
                false,
                Some("hsm"),
                false,
                0,
            ),
            (
                r#""condition":"transient""#,
                "transient",
                false,
                None,
                false,
                0,
            ),
            (
                r#""condition":"destroyed","proof":"ticket 7""#,
                "destroyed",
                false,
                Some("ticket 7"),
                false,
                0,
            ),
            (
                r#""condition":"destroyed""#,
                "destroyed",
                false,
                Some("stated without proof"),
                false,
                0,
            ),
            (
                r#""condition":"unknown","reason":"access-denied""#,
                "unknown",
                false,
                Some("access-denied"),
                false,
                0,
            ),
            (
                r#""condition":"unknown","reason":"odd""#,
                "unknown",
                false,
                Some("unrecognised-state"),
                false,
                1,
            ),
            (
                r#""condition":"unknown""#,
                "unknown",
                false,
                Some("unrecognised-state"),
                false,
                0,
            ),
            (
                r#""condition":7"#,
                "unknown",
                false,
                Some("malformed"),
                false,
                1,
            ),
            (
                r#""condition":"disabled","condition":"enabled""#,
                "unknown",
                false,
                Some("malformed"),
                false,
                1,
            ),
            (
                r#""condition":"Enabled""#,
                "unknown",
                false,
                Some("unrecognised-state"),
                false,
                1,
            ),
        ]
        .map(|(f, c, d, r, s, n): Row<'_>| (f.replace('L', later), c, d, r, s, n));
        for (fields, condition, dated, reason, stale, flaws) in table {
            let json = format!(r#"{{"key":"{KEY}","at":"2026-11-01T00:00:00Z",{fields}}}"#);
            let (read, found) = key_answer(&node(&json)).unwrap();
            assert_eq!(read.condition.word(), condition, "{fields}");
            assert_eq!(read.condition.date().is_some(), dated, "{fields}");
            assert_eq!(read.condition.reason().as_deref(), reason, "{fields}");
            assert_eq!(read.stale_at.is_some(), stale, "{fields}");
            assert_eq!(found.len(), flaws, "{fields}");
            assert_eq!((read.endpoint.as_str(), read.identity), ("recorded", None));
        }
        for json in [
            r#"{"key":"alias/x","condition":"enabled","at":"2026-11-01T00:00:00Z"}"#.to_owned(),
            format!(r#"{{"key":"{KEY}","condition":"enabled"}}"#),
            format!(r#"{{"key":"{KEY}","at":"2026-11-01T00:00:00Z","condition":null}}"#),
            r#"{"condition":"enabled","at":"2026-11-01T00:00:00Z"}"#.to_owned(),
        ] {
            assert!(key_answer(&node(&json)).is_err(), "{json}");
        }
    }
}
