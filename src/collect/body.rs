//! What the collector must understand of an answer to know what to ask next: how many rows a page
//! has, which projects and clusters there are, whether a list is of shards, how far back things
//! go. Whatever else is wrong with a row is for the reader of bundles to say.

use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::request::{Extent, Kind, is_segment};
use super::row::{Row, Text, items};
use crate::model::Timestamp;

/// A body as far as it is understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Rows(Rows),
    Object(Facts),
    /// An error object, with its code if that is one word.
    Error {
        status: Option<u16>,
        code: Option<String>,
    },
    /// Not what was asked for.
    Other(&'static str),
}

/// A page, or a list without pages.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    pub(super) count: u32,
    /// Hashes of the rows' ids (or names), in order: one for each row.
    pub(super) ids: Vec<u64>,
    /// Rows that name no id, or whose id cannot be asked about.
    pub(super) unusable: u32,
    /// A link says that another page follows.
    pub(super) next: bool,
    pub(super) facts: Facts,
}

/// What answers say that decides what is asked next.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    pub(super) projects: Vec<String>,
    pub(super) clusters: Vec<ClusterFacts>,
    /// Some snapshot is one of a sharded cluster.
    pub(super) sharded: bool,
    /// The earliest creation of a snapshot.
    pub(super) oldest: Option<Timestamp>,
    /// Point-in-time window in days.
    pub(super) window_days: Option<u32>,
    /// Organisation of a project.
    pub(super) org: Option<String>,
}

/// A cluster as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClusterFacts {
    pub(super) id: Option<String>,
    pub(super) name: String,
    /// Stated to be one replica set.
    pub(super) replica_set: bool,
    /// Stated to be dying.
    pub(super) deleting: bool,
    pub(super) backup_off: bool,
    /// Not every region is stated to be of a shared tier.
    pub(super) dedicated: bool,
}

impl Facts {
    /// Takes over what another answer of the same list says.
    pub(super) fn add(&mut self, other: Self) {
        self.projects.extend(other.projects);
        self.clusters.extend(other.clusters);
        self.sharded |= other.sharded;
        self.oldest = earlier(self.oldest, other.oldest);
        self.window_days = self.window_days.max(other.window_days);
        self.org = self.org.take().or(other.org);
    }
}

/// The earlier of two times, as far as they are known.
pub(super) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

/// Reads the body of an answer to a request for `kind`.
pub(super) fn read(kind: Kind, status: u16, body: &[u8]) -> Body {
    if status != 200 {
        return match serde_json::from_slice::<Value>(body) {
            Ok(value) => error_of(&value).unwrap_or(Body::Error {
                status: None,
                code: None,
            }),
            Err(_) => Body::Error {
                status: None,
                code: None,
            },
        };
    }
    match kind.extent() {
        Extent::Paged | Extent::Unpaged => rows(kind, body),
        Extent::Object => object(kind, body),
    }
}

fn object(kind: Kind, body: &[u8]) -> Body {
    let nothing = body.trim_ascii().is_empty();
    let value = match serde_json::from_slice::<Value>(body) {
        Ok(value) => value,
        Err(_) if nothing && kind == Kind::CompliancePolicy => Value::Null,
        Err(_) => return Body::Other("is no JSON"),
    };
    if let Some(error) = error_of(&value) {
        return error;
    }
    let members: &[&str] = match kind {
        Kind::Settings => &["awsKms", "azureKeyVault", "googleCloudKms"],
        Kind::Schedule => &[
            "policies",
            "restoreWindowDays",
            "referenceHourOfDay",
            "clusterName",
            "clusterId",
            "copySettings",
        ],
        Kind::Project => &["id"],
        // A project without a policy may answer with nothing.
        Kind::CompliancePolicy => &[],
        Kind::Projects
        | Kind::ClustersWithDeleted
        | Kind::Clusters
        | Kind::Snapshots
        | Kind::ShardedSnapshots
        | Kind::RestoreJobs
        | Kind::Events
        | Kind::FlexClusters
        | Kind::FlexSnapshots => &[],
    };
    let is_it = match &value {
        Value::Object(map) => members.is_empty() || members.iter().any(|m| map.contains_key(*m)),
        Value::Null => kind == Kind::CompliancePolicy,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    };
    if !is_it {
        return Body::Other("is not what was asked for");
    }
    let days = value.get("restoreWindowDays").and_then(Value::as_u64);
    Body::Object(Facts {
        window_days: days.and_then(|days| u32::try_from(days).ok()),
        org: value
            .get("orgId")
            .and_then(Value::as_str)
            .map(str::to_owned),
        ..Facts::default()
    })
}

/// An error object: `error` is the status and `errorCode` a word ("Error" of the Atlas
/// Administration API).
fn error_of(value: &Value) -> Option<Body> {
    let status = value.get("error").and_then(Value::as_u64)?;
    if ["errorCode", "reason", "detail"]
        .iter()
        .all(|m| value.get(m).is_none())
    {
        return None;
    }
    Some(Body::Error {
        status: u16::try_from(status).ok(),
        code: value
            .get("errorCode")
            .and_then(Value::as_str)
            .and_then(code),
    })
}

/// An error code is one word; anything else is nobody's to repeat.
fn code(text: &str) -> Option<String> {
    let is_word = !text.is_empty()
        && text.len() <= 80
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    is_word.then(|| text.to_owned())
}

fn rows(kind: Kind, body: &[u8]) -> Body {
    let mut page = Page {
        kind,
        rows: Rows::default(),
        seen: false,
        twice: false,
        error: None,
        code: None,
    };
    let mut input = serde_json::Deserializer::from_slice(body);
    let read = PageSeed(&mut page).deserialize(&mut input);
    if read.is_err() || input.end().is_err() {
        return Body::Other("cannot be read as a page");
    }
    match (page.seen, page.error) {
        (true, _) if page.twice => Body::Other("has two `results`"),
        (true, None) if page.code.is_none() => Body::Rows(page.rows),
        (true, _) => Body::Other("says of itself that it is an error"),
        (false, Some(error)) => Body::Error {
            status: u16::try_from(error).ok(),
            code: page.code.as_deref().and_then(code),
        },
        (false, None) => Body::Other("has no `results`"),
    }
}

struct Page {
    kind: Kind,
    rows: Rows,
    seen: bool,
    twice: bool,
    error: Option<u64>,
    code: Option<String>,
}

struct PageSeed<'p>(&'p mut Page);

impl<'de> DeserializeSeed<'de> for PageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            match name.as_deref() {
                Some("results") => {
                    self.0.twice |= self.0.seen;
                    self.0.seen = true;
                    map.next_value_seed(RowsSeed {
                        kind: self.0.kind,
                        rows: &mut self.0.rows,
                    })?;
                }
                Some("links") => {
                    let links: Value = map.next_value()?;
                    self.0.rows.next |= items(Some(&links))
                        .iter()
                        .any(|link| link.get("rel").and_then(Value::as_str) == Some("next"));
                }
                Some("error") => self.0.error = map.next_value::<Value>()?.as_u64(),
                Some("errorCode") => {
                    self.0.code = map.next_value::<Text<'de>>()?.0.map(Cow::into_owned);
                }
                Some(_) | None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct RowsSeed<'r> {
    kind: Kind,
    rows: &'r mut Rows,
}

impl<'de> DeserializeSeed<'de> for RowsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Row<'de>>()? {
            self.rows.count = self.rows.count.saturating_add(1);
            self.rows.take(self.kind, row);
        }
        Ok(())
    }
}

impl Rows {
    fn take(&mut self, kind: Kind, row: Row<'_>) {
        let id = row.id.as_deref().or(row.name.as_deref());
        let mut hash = DefaultHasher::new();
        id.hash(&mut hash);
        self.ids.push(hash.finish());
        let facts = &mut self.facts;
        let usable = match kind {
            Kind::Projects => match row.id.as_deref().filter(|id| is_segment(id)) {
                Some(id) => {
                    facts.projects.push(id.to_owned());
                    true
                }
                None => false,
            },
            Kind::ClustersWithDeleted | Kind::Clusters | Kind::FlexClusters => {
                let name = row.name.as_deref();
                match name.filter(|name| is_segment(name)) {
                    Some(name) => {
                        facts.clusters.push(ClusterFacts {
                            id: row.id.as_deref().map(str::to_owned),
                            name: name.to_owned(),
                            replica_set: row.cluster_type.as_deref() == Some("REPLICASET"),
                            deleting: row.state.as_deref() == Some("DELETING"),
                            backup_off: row.backups == Some(false),
                            dedicated: row.is_dedicated(),
                        });
                        true
                    }
                    None => false,
                }
            }
            Kind::Snapshots | Kind::ShardedSnapshots | Kind::FlexSnapshots => {
                // Spelled `SHARDED_CLUSTER` by older versions of the API.
                facts.sharded |= row.shape.as_deref().is_some_and(|shape| {
                    shape.to_ascii_lowercase().replace('_', "") == "shardedcluster"
                }) || row.has_members;
                let created = row.created.as_deref();
                let created = created.and_then(|text| Timestamp::floor(text).ok());
                facts.oldest = earlier(facts.oldest, created);
                row.id.is_some()
            }
            Kind::RestoreJobs => row.id.is_some(),
            Kind::Events => true,
            Kind::Project | Kind::Settings | Kind::Schedule | Kind::CompliancePolicy => false,
        };
        self.unusable = self.unusable.saturating_add(u32::from(!usable));
    }
}
