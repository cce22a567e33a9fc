//! Snapshot rows of the Atlas wire: replica sets, sharded clusters, Flex and serverless, of every
//! API version. A sound row is read in one pass without copying; a damaged one is read again,
//! field by field, because the snapshot is a dependant of its key however badly the rest of its
//! row is spelled. What a damaged field would have said is then taken at its worst: no expiry
//! means kept for ever, a key id that is no string is a key that nobody knows.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::node::{Fields, MAX_TEXT, Node, fault};
use super::split;
use super::wire::{Links, NonEmpty, Str};
use crate::model::Timestamp;
use crate::model::evidence::{KeyColumn, SnapshotStatus};

/// One row, lowered but for what its list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SnapshotRow<'a> {
    pub(super) id: Cow<'a, str>,
    /// What the row itself says of its making; `None` if it does not.
    pub(super) sharded: Option<bool>,
    /// It has the detail that only the sharded list gives.
    pub(super) members: bool,
    /// It has fields that only Flex and serverless rows have.
    pub(super) shared: bool,
    pub(super) status: SnapshotStatus,
    pub(super) created_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) keep: bool,
    pub(super) frequency: Option<Cow<'a, str>>,
    pub(super) copied: bool,
    /// Nothing hangs on it but `--restore-to`, so one that cannot be read is no flaw.
    pub(super) version: Option<Cow<'a, str>>,
    pub(super) keys: KeyColumn,
    pub(super) links: Links<'a>,
    /// Fields that could not be read. Any makes its list less than whole.
    pub(super) flaws: Vec<String>,
}

impl SnapshotRow<'_> {
    /// None of the fields by which a snapshot is known, in any version of the API. A version of
    /// MongoDB is no such field: clusters have one too.
    pub(super) fn says_nothing(&self) -> bool {
        self.status == SnapshotStatus::Unrecorded
            && self.keys == KeyColumn::Absent
            && self.sharded.is_none()
            && self.created_at.is_none()
            && self.expires_at.is_none()
            && self.frequency.is_none()
            && !(self.members || self.shared || self.keep || self.copied)
    }
}

/// Fields per "Return All Replica Set Cloud Backups", "Return All Sharded Cluster Backups" and
/// "Return All Snapshots for One Flex Cluster" of the Atlas Administration API.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    #[serde(borrow)]
    r#type: Option<Str<'a>>,
    #[serde(borrow)]
    status: Option<Str<'a>>,
    #[serde(borrow)]
    created_at: Option<Str<'a>>,
    #[serde(borrow)]
    expires_at: Option<Str<'a>>,
    #[serde(rename = "masterKeyUUID", borrow)]
    master_key: Option<Str<'a>>,
    #[serde(borrow)]
    frequency_type: Option<Str<'a>>,
    copy_regions: Option<NonEmpty>,
    #[serde(borrow)]
    members: Option<Vec<Member<'a>>>,
    snapshot_ids: Option<NonEmpty>,
    do_not_delete: Option<bool>,
    #[serde(borrow)]
    mongod_version: Option<Str<'a>>,
    #[serde(borrow)]
    links: Option<Links<'a>>,
    // Flex and serverless.
    #[serde(rename = "mongoDBVersion", borrow)]
    flex_version: Option<Str<'a>>,
    #[serde(borrow)]
    start_time: Option<Str<'a>>,
    #[serde(borrow)]
    finish_time: Option<Str<'a>>,
    scheduled_time: Option<IgnoredAny>,
    #[serde(borrow)]
    expiration: Option<Str<'a>>,
    serverless_instance_name: Option<IgnoredAny>,
    // Never in a snapshot: a row with one of these is something else.
    cluster_type: Option<IgnoredAny>,
    replication_specs: Option<IgnoredAny>,
    state_name: Option<IgnoredAny>,
    delivery_type: Option<IgnoredAny>,
    event_type_name: Option<IgnoredAny>,
    error_code: Option<IgnoredAny>,
    parts: Option<IgnoredAny>,
    results: Option<IgnoredAny>,
    content: Option<IgnoredAny>,
    kind: Option<IgnoredAny>,
    condition: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Member<'a> {
    #[serde(rename = "masterKeyUUID", borrow)]
    master_key: Option<Str<'a>>,
}

/// Reads a row that is known to be a snapshot. The error says why it has no usable id.
pub(super) fn read(bytes: &[u8]) -> Result<SnapshotRow<'_>, String> {
    if let Some(row) = parse(bytes).and_then(sound) {
        return Ok(row);
    }
    let (text, lossy) = match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => (String::from_utf8_lossy(bytes), true),
    };
    salvage(&Node::read(text.as_bytes())?, lossy)
}

/// Reads the row that `bytes` start with, if it is sound and ends in them; gives its length too.
/// `None` says nothing about the row but that somebody has to find its end first.
pub(super) fn read_ahead(bytes: &[u8]) -> Option<(SnapshotRow<'_>, usize)> {
    // serde would take an array for a struct.
    if bytes.first() != Some(&b'{') {
        return None;
    }
    // Checked in one go, strings need not be checked one by one.
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(cut) => str::from_utf8(bytes.get(..cut.valid_up_to())?).ok()?,
    };
    let mut rows = serde_json::Deserializer::from_str(text).into_iter();
    let wire = rows.next()?.ok()?;
    let length = rows.byte_offset();
    if !split::is_shallow(bytes.get(..length)?) {
        return None;
    }
    Some((sound(wire)?, length))
}

/// Reads a snapshot that was parsed already.
pub(super) fn of_node(node: &Node) -> Result<SnapshotRow<'static>, String> {
    salvage(node, false)
}

/// Reads a row only if it is a sound snapshot beyond doubt; anything else is for a closer look.
pub(super) fn read_if_sound(bytes: &[u8]) -> Option<SnapshotRow<'_>> {
    let wire = parse(bytes)?;
    let foreign = [
        &wire.cluster_type,
        &wire.replication_specs,
        &wire.state_name,
        &wire.delivery_type,
        &wire.event_type_name,
        &wire.error_code,
        &wire.parts,
        &wire.results,
        &wire.content,
        &wire.kind,
        &wire.condition,
    ];
    let own = wire.r#type.is_some()
        || wire.created_at.is_some()
        || wire.expires_at.is_some()
        || wire.master_key.is_some()
        || wire.expiration.is_some()
        || wire.scheduled_time.is_some();
    if !own || foreign.iter().any(|mark| mark.is_some()) {
        return None;
    }
    sound(wire)
}

fn parse(bytes: &[u8]) -> Option<Wire<'_>> {
    // serde would take an array for a struct.
    if bytes.first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

/// The row, if nothing is wrong with it.
fn sound(wire: Wire<'_>) -> Option<SnapshotRow<'_>> {
    let id = wire.id?.0;
    if id.is_empty() || fault(&id).is_some() {
        return None;
    }
    let texts = [&wire.r#type, &wire.status, &wire.frequency_type];
    if texts.into_iter().flatten().any(|s| fault(&s.0).is_some()) {
        return None;
    }
    let created = wire.created_at.or(wire.finish_time).or(wire.start_time);
    let shared = wire.expiration.is_some()
        || wire.scheduled_time.is_some()
        || wire.serverless_instance_name.is_some();
    let mut keys = Vec::new();
    let members = wire.members.unwrap_or_default();
    let sharded_fields = !members.is_empty() || wire.snapshot_ids.is_some_and(|ids| ids.0);
    let of_members = members.into_iter().filter_map(|member| member.master_key);
    for Str(key) in wire.master_key.into_iter().chain(of_members) {
        if fault(&key).is_some() {
            return None;
        }
        name_key(&mut keys, &key);
    }
    let created_at = match created {
        Some(Str(text)) => Some(Timestamp::floor(&text).ok()?),
        None => None,
    };
    let expires_at = match wire.expires_at.or(wire.expiration) {
        Some(Str(text)) => Some(Timestamp::ceil(&text).ok()?),
        None => None,
    };
    Some(SnapshotRow {
        id,
        sharded: sharded(wire.r#type.as_ref().map(|s| s.0.as_ref()), sharded_fields),
        members: sharded_fields,
        shared,
        status: status(wire.status.as_ref().map(|s| s.0.as_ref())),
        created_at,
        expires_at,
        keep: wire.do_not_delete.unwrap_or(false),
        frequency: wire.frequency_type.map(|s| lower(s.0)),
        copied: wire.copy_regions.is_some_and(|regions| regions.0),
        version: version(wire.mongod_version.or(wire.flex_version).map(|s| s.0)),
        keys: column(keys),
        links: wire.links.unwrap_or_default(),
        flaws: Vec::new(),
    })
}

/// Takes what can be taken from a row that is not sound.
fn salvage(node: &Node, lossy: bool) -> Result<SnapshotRow<'static>, String> {
    let mut fields = Fields::of(node)?;
    if lossy {
        fields.flaw("the row is not UTF-8".to_owned());
    }
    let id = match fields.any("id") {
        Some(Node::Number(number)) => {
            fields.flaw("`id` is a number where a string is expected".to_owned());
            number.to_string()
        }
        Some(_) | None => match fields.text("id") {
            Some(id) if !id.contains(char::REPLACEMENT_CHARACTER) => id.to_owned(),
            Some(_) => return Err("`id` is not UTF-8".to_owned()),
            None => {
                let why = fields.into_flaws().into_iter().find(|f| f.contains("`id`"));
                return Err(why.unwrap_or_else(|| "has no id".to_owned()));
            }
        },
    };
    let kind = fields.text("type").map(str::to_owned);
    let members = fields.list("members");
    let sharded_fields = !members.is_empty() || !fields.list("snapshotIds").is_empty();
    let twice = |fields: &Fields<'_>, name: &str| fields.all(name).nth(1).is_some();

    let mut keys = Vec::new();
    salvage_keys(&mut fields, &mut keys);
    for member in members {
        match Fields::of(member) {
            Ok(mut member) => {
                salvage_keys(&mut member, &mut keys);
                for flaw in member.into_flaws() {
                    fields.flaw(flaw);
                }
            }
            Err(why) => fields.flaw(format!("an element of `members` {why}")),
        }
    }
    let word = fields.text("status");
    let status = if twice(&fields, "status") {
        SnapshotStatus::Unrecorded
    } else {
        status(word)
    };
    let created_at = ["createdAt", "finishTime", "startTime"]
        .into_iter()
        .find_map(|name| fields.sighting(name));
    let expires_at = ["expiresAt", "expiration"]
        .into_iter()
        .find_map(|name| fields.until(name))
        .filter(|_| !twice(&fields, "expiresAt") && !twice(&fields, "expiration"));
    let keep = fields.all("doNotDelete").any(|v| *v != Node::Bool(false));
    fields.flag("doNotDelete");
    let copied = match fields.any("copyRegions") {
        None => false,
        Some(Node::List(regions)) => !regions.is_empty(),
        Some(other) => {
            fields.flaw(format!("`copyRegions` is {}", other.kind()));
            true
        }
    };
    let frequency = fields.text("frequencyType").map(str::to_lowercase);
    let shared = ["expiration", "scheduledTime", "serverlessInstanceName"]
        .into_iter()
        .any(|name| node.has(name));
    let links = salvage_links(&mut fields);
    let version_text = ["mongodVersion", "mongoDBVersion"]
        .into_iter()
        .find_map(|name| node.get(name).and_then(Node::as_text))
        .map(|text| Cow::Owned(text.to_owned()));
    Ok(SnapshotRow {
        id: Cow::Owned(id),
        sharded: sharded(kind.as_deref(), sharded_fields),
        members: sharded_fields,
        shared,
        status,
        created_at,
        expires_at,
        keep,
        frequency: frequency.map(Cow::Owned),
        copied,
        version: version(version_text),
        keys: column(keys),
        links,
        flaws: fields.into_flaws(),
    })
}

/// Every key that the object names, however: one that cannot be read stays a key that nobody
/// knows, because an absent key id may be read as "not encrypted".
fn salvage_keys(fields: &mut Fields<'_>, keys: &mut Vec<String>) {
    let named: Vec<&Node> = fields.all("masterKeyUUID").collect();
    for value in named {
        match value {
            Node::Text(text) => match fault(text) {
                None => name_key(keys, text),
                Some(fault) => {
                    fields.flaw(format!("`masterKeyUUID` {fault}"));
                    let end = text.floor_char_boundary(MAX_TEXT);
                    name_key(keys, &text[..end]);
                }
            },
            Node::Number(number) => {
                fields.flaw("`masterKeyUUID` is a number where a string is expected".to_owned());
                name_key(keys, &number.to_string());
            }
            Node::Null | Node::Bool(_) | Node::List(_) | Node::Object(_) => {
                let kind = value.kind();
                fields.flaw(format!(
                    "`masterKeyUUID` is {kind} where a string is expected"
                ));
                name_key(keys, &format!("unreadable: {kind}"));
            }
        }
    }
}

fn salvage_links(fields: &mut Fields<'_>) -> Links<'static> {
    let mut links = Links::default();
    for link in fields.list("links") {
        let Some(href) = link.get("href").and_then(Node::as_text) else {
            fields.flaw("an element of `links` is no link".to_owned());
            continue;
        };
        links.add(Cow::Owned(href.to_owned()));
    }
    links
}

/// A sound row without ids differs from one that repeats an id for each member.
fn name_key(keys: &mut Vec<String>, key: &str) {
    if !key.is_empty() && !keys.iter().any(|known| known == key) {
        keys.push(key.to_owned());
    }
}

fn column(keys: Vec<String>) -> KeyColumn {
    if keys.is_empty() {
        KeyColumn::Absent
    } else {
        KeyColumn::Named(keys)
    }
}

/// A version that can be told to somebody.
fn version(text: Option<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    text.filter(|text| !text.is_empty() && fault(text).is_none())
}

/// `replicaSet` and `shardedCluster`; older endpoints write `REPLICA_SET`.
fn sharded(kind: Option<&str>, sharded_fields: bool) -> Option<bool> {
    let kind = match kind {
        // The words of today's API, without a copy.
        Some("replicaSet") => Some(Cow::Borrowed("replicaset")),
        Some("shardedCluster") => Some(Cow::Borrowed("shardedcluster")),
        other => other.map(plain),
    };
    match kind.as_deref() {
        Some("shardedcluster") => Some(true),
        Some("replicaset") if !sharded_fields => Some(false),
        Some(_) | None => sharded_fields.then_some(true),
    }
}

/// The words of every shape: `queued`, `inProgress`, `completed`, `failed`; Flex and serverless
/// write `PENDING`, `QUEUED`, `RUNNING`, `COMPLETED`, `FAILED`.
pub(super) fn status(word: Option<&str>) -> SnapshotStatus {
    let Some(word) = word.filter(|word| !word.is_empty()) else {
        return SnapshotStatus::Unrecorded;
    };
    match word {
        "completed" => return SnapshotStatus::Completed,
        "queued" => return SnapshotStatus::Queued,
        _ => {}
    }
    match plain(word).as_ref() {
        "completed" => SnapshotStatus::Completed,
        "queued" | "pending" => SnapshotStatus::Queued,
        "inprogress" | "running" => SnapshotStatus::InProgress,
        "failed" => SnapshotStatus::Failed,
        _ => SnapshotStatus::Unrecognised(word.to_owned()),
    }
}

/// Lower case without `_`, `-` and spaces.
fn plain(word: &str) -> Cow<'_, str> {
    if word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Cow::Borrowed(word);
    }
    let kept = word.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
    Cow::Owned(kept.flat_map(char::to_lowercase).collect())
}

fn lower(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().any(|byte| !byte.is_ascii_lowercase()) {
        Cow::Owned(text.to_lowercase())
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(row: &SnapshotRow<'_>) -> String {
        match &row.keys {
            KeyColumn::Absent => "absent".to_owned(),
            KeyColumn::NotEncrypted => "not-encrypted".to_owned(),
            KeyColumn::Named(keys) => keys.join("+"),
        }
    }

    #[test]
    fn sound_rows_read_the_same_both_ways() {
        let table = [
            r#"{"id":"s1","type":"replicaSet"}"#,
            r#"{"id":"s1","type":"replicaSet","status":"completed","createdAt":"2026-10-31T02:00:00Z",
                "expiresAt":"2026-11-07T02:00:00.4Z","masterKeyUUID":"k1","frequencyType":"ondemand",
                "copyRegions":["EU_WEST_1"],"mongodVersion":"7.0.12","policyItems":[],"storageSizeBytes":12,
                "links":[{"rel":"self","href":"http://h/api/atlas/v2/groups/g/clusters/c/backup/snapshots/s1"}]}"#,
            r#"{"id":"s2","type":"shardedCluster","status":"inProgress","members":[{"id":"m1","masterKeyUUID":"k2"},
                {"id":"m2"}],"snapshotIds":["m1"],"masterKeyUUID":"k1"}"#,
            r#"{"id":"s3","type":"REPLICA_SET","status":"Completed","frequencyType":"HOURLY","masterKeyUUID":null}"#,
            r#"{"id":"f1","status":"RUNNING","startTime":"2026-10-31T02:00:00Z","expiration":"2026-11-07T02:00:00Z","mongoDBVersion":"8.0.1"}"#,
            r#"{"id":"s4","type":"","status":"archived","masterKeyUUID":"","doNotDelete":true,"copyRegions":[],"mongodVersion":null}"#,
        ];
        for json in table {
            let fast = read_if_sound(json.as_bytes()).unwrap();
            let node = Node::read(json.as_bytes()).unwrap();
            let mut slow = salvage(&node, false).unwrap();
            slow.links.itself = fast.links.itself.clone();
            assert_eq!(fast, slow, "{json}");
        }
        let row = read(table[1].as_bytes()).unwrap();
        assert_eq!(row.expires_at.unwrap().to_string(), "2026-11-07T02:00:01Z");
        assert_eq!(row.links.owner().cluster.as_deref(), Some("c"));
        assert_eq!((row.sharded, row.copied), (Some(false), true));
        assert_eq!(row.version.as_deref(), Some("7.0.12"));
        let flex = read(table[4].as_bytes()).unwrap();
        assert_eq!(flex.version.as_deref(), Some("8.0.1"));
        assert_eq!(keys(&read(table[2].as_bytes()).unwrap()), "k1+k2");
        assert_eq!(keys(&read(table[3].as_bytes()).unwrap()), "absent");
        assert_eq!(
            read(table[3].as_bytes()).unwrap().frequency.as_deref(),
            Some("hourly")
        );
    }

    #[test]
    fn damage_never_hides_a_dependant() {
        let long = "k".repeat(1 << 20);
        let long_key = format!(r#"{{"id":"s","masterKeyUUID":"{long}"}}"#);
        // (row, keys, has expiry, keep, status)
        let table: [(&str, &str, bool, bool, SnapshotStatus); 9] = [
            (
                r#"{"id":"s","masterKeyUUID":7,"expiresAt":"2026-11-07T02:00:00Z"}"#,
                "7",
                true,
                false,
                SnapshotStatus::Unrecorded,
            ),
            (
                r#"{"id":"s","masterKeyUUID":{"a":1},"expiresAt":"soon"}"#,
                "unreadable: an object",
                false,
                false,
                SnapshotStatus::Unrecorded,
            ),
            (
                r#"{"id":"s","masterKeyUUID":"k1","masterKeyUUID":null}"#,
                "k1",
                false,
                false,
                SnapshotStatus::Unrecorded,
            ),
            (
                r#"{"id":"s","expiresAt":"2026-11-07T02:00:00Z","expiresAt":"2026-11-01T02:00:00Z"}"#,
                "absent",
                false,
                false,
                SnapshotStatus::Unrecorded,
            ),
            (
                r#"{"id":"s","doNotDelete":"no"}"#,
                "absent",
                false,
                true,
                SnapshotStatus::Unrecorded,
            ),
            (
                r#"{"id":"s","status":"completed","status":"failed"}"#,
                "absent",
                false,
                false,
                SnapshotStatus::Unrecorded,
            ),
            (
                r#"{"id":"s","status":7,"members":["x",{"masterKeyUUID":"k9"}]}"#,
                "k9",
                false,
                false,
                SnapshotStatus::Unrecorded,
            ),
            (
                r#"{"id":12,"links":7,"copyRegions":7,"status":"failed"}"#,
                "absent",
                false,
                false,
                SnapshotStatus::Failed,
            ),
            (
                &long_key,
                &long[..MAX_TEXT],
                false,
                false,
                SnapshotStatus::Unrecorded,
            ),
        ];
        for (json, expected, expires, keep, status) in table {
            let row = read(json.as_bytes()).unwrap();
            assert!(!row.flaws.is_empty(), "{json}");
            assert_eq!(keys(&row), expected, "{json}");
            assert_eq!(row.expires_at.is_some(), expires, "{json}");
            assert_eq!((row.keep, row.status), (keep, status), "{json}");
        }
        let row = read(b"{\"id\":\"s\",\"description\":\"\xff\",\"masterKeyUUID\":\"k\"}").unwrap();
        assert_eq!(keys(&row), "k");
    }

    #[test]
    fn a_version_that_cannot_be_read_spoils_no_list() {
        for version in ["7", "\"\"", "null", "{}", "\"7\\u0000\""] {
            let json = format!(r#"{{"id":"s","type":"replicaSet","mongodVersion":{version}}}"#);
            let row = read(json.as_bytes()).unwrap();
            assert_eq!((row.version, row.flaws.len()), (None, 0), "{json}");
        }
    }

    #[test]
    fn only_a_row_without_an_id_is_lost() {
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(1 << 20));
        let table: [(&[u8], &str); 9] = [
            (b"{}", "has no id"),
            (b"{\"id\":\"\"}", "has no id"),
            (b"{\"id\":null}", "has no id"),
            (
                b"{\"id\":[1]}",
                "`id` is an array where a string is expected",
            ),
            (b"{\"id\":\"a\\u0000b\"}", "`id` holds a control character"),
            (b"{\"id\":\"\xff\"}", "`id` is not UTF-8"),
            (b"[\"s1\"]", "is an array where a record is expected"),
            (
                b"{\"id\":tru}",
                "is no JSON that can be read: expected ident",
            ),
            (long.as_bytes(), "`id` is longer than 4096 bytes"),
        ];
        for (json, why) in table {
            assert_eq!(read(json).unwrap_err(), why);
        }
    }

    #[test]
    fn a_row_of_something_else_is_seen() {
        for json in [
            r#"{"id":"c","clusterType":"REPLICASET"}"#,
            r#"{"id":"j","deliveryType":"download"}"#,
            r#"{"id":"o","parts":[]}"#,
            r#"{"id":"x","kind":"snapshot"}"#,
            r#"{"results":[]}"#,
            r#"{"id":"p","name":"n","orgId":"o"}"#,
        ] {
            assert_eq!(read_if_sound(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn a_row_read_ahead_is_the_row_read_by_itself() {
        let nested = |depth: usize| {
            format!(
                r#"{{"id":"s","x":{}{}}}"#,
                "[".repeat(depth),
                "]".repeat(depth)
            )
        };
        let sound = [
            r#"{"id":"s1","masterKeyUUID":"k1","createdAt":"2026-10-31T02:00:00Z"}"#.to_owned(),
            r#"{ "id" : "s\u0031" , "description" : "}]{[", "members":[{"masterKeyUUID":"é"}] }"#
                .to_owned(),
            nested(119),
        ];
        let deep = nested(120);
        let others: [&[u8]; 8] = [
            deep.as_bytes(),
            b"{\"id\":\"\"}",
            b"{\"id\":\"s\",\"masterKeyUUID\":7}",
            b"{\"id\":\"s\",\"masterKeyUUID\":\"k1\",\"masterKeyUUID\":\"k2\"}",
            b"{\"id\":\"s\",\"description\":\"\xff\"}",
            b"{\"id\":\"s\",\"createdAt\":\"yesterday\"}",
            b"[\"s\"]",
            b"7",
        ];
        for tail in [&b""[..], b",{\"id\":\"s2\"}", b"]}", b"\xff", b"\xc3"] {
            for row in &sound {
                let bytes = [row.as_bytes(), tail].concat();
                let (ahead, length) = read_ahead(&bytes).unwrap();
                assert_eq!(
                    (Ok(ahead), length),
                    (read(row.as_bytes()), row.len()),
                    "{row}"
                );
                for cut in 0..row.len() {
                    assert_eq!(read_ahead(&bytes[..cut]), None, "{row} cut at {cut}");
                }
            }
            for row in others {
                let bytes = [row, tail].concat();
                assert_eq!(read_ahead(&bytes), None, "{}", String::from_utf8_lossy(row));
            }
        }
    }
}
