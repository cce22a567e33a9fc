//! CycloneDX 1.6 (ECMA-424), a cryptography bill of materials: keys and snapshots as components,
//! and which snapshot depends on which key. Never holds key material: there is no `value`.
//!
//! Components come before dependencies, so the rows are taken twice and never held. There is no
//! serial number: the same evidence gives the same bytes.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, Serializer};

use super::json::document::Document as Json;
use super::{AuditView, Conclusion};
use crate::model::Timestamp;
use crate::model::evidence::Condition;
use crate::model::verdict::{
    Deletability, DependantKind, DoubtKind, KeyRow, KeyState, ResolvedKey, Restorability,
    SnapshotVerdict,
};

const SPEC_VERSION: &str = "1.6";

/// What stays as it is in a reference. All else is percent-encoded, `/` too: parts cannot run into
/// each other.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A bill that is being written: components in the first pass, dependencies in the second.
pub(super) struct Document<'a> {
    json: Json<'a>,
    /// What snapshots name, as they name it.
    keys: BTreeSet<Cow<'a, str>>,
    section: Section,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Components,
    Dependencies,
    Closed,
}

pub(super) fn begin<'a>(
    conclusion: Conclusion<'a>,
    view: AuditView,
    out: &'a mut dyn Write,
) -> io::Result<Document<'a>> {
    let head = Head {
        schema: format!("http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json"),
        bom_format: "CycloneDX",
        spec_version: SPEC_VERSION,
        version: 1,
        metadata: Metadata::of(&conclusion, view),
    };
    let mut json = Json::begin(&head, out)?;
    json.open_list("components")?;
    let mut document = Document {
        json,
        keys: BTreeSet::new(),
        section: Section::Components,
    };
    for row in conclusion.estate.map_or(&[][..], |estate| &estate.keys) {
        document.key(row)?;
    }
    Ok(document)
}

impl<'a> Document<'a> {
    /// A key, once: two rows of one id would be two components with one reference.
    fn key(&mut self, row: &'a KeyRow) -> io::Result<()> {
        let (name, component) = match row {
            KeyRow::Resolved(row) => {
                let id = row.key.to_string();
                let component = resolved(row, &id);
                (Cow::Owned(id), component)
            }
            KeyRow::Unresolved {
                provider,
                spelling,
                doubts,
            } => {
                let mut component = unresolved(spelling);
                component.add("snapkey:provider", provider.map(|provider| provider.word()));
                for kind in kinds(doubts.iter().map(|doubt| doubt.kind)) {
                    component.add("snapkey:doubt", Some(kind.word()));
                }
                (Cow::Borrowed(spelling.as_str()), component)
            }
        };
        if self.keys.insert(name) {
            self.json.row(&component)?;
        }
        Ok(())
    }

    pub(super) fn row(&mut self, row: &SnapshotVerdict) -> io::Result<()> {
        match self.section {
            Section::Components => {
                for name in &row.keys {
                    // No dependency may lead nowhere.
                    if !self.keys.contains(name.as_str()) {
                        self.json.row(&unresolved(name))?;
                        self.keys.insert(Cow::Owned(name.clone()));
                    }
                }
                self.json.row(&snapshot(row))
            }
            Section::Dependencies => match dependency(row) {
                Some(dependency) => self.json.row(&dependency),
                None => Ok(()),
            },
            Section::Closed => Ok(()),
        }
    }

    pub(super) fn pass_ended(&mut self) -> io::Result<()> {
        self.section = match self.section {
            Section::Components => {
                self.json.close_list()?;
                self.json.open_list("dependencies")?;
                Section::Dependencies
            }
            Section::Dependencies | Section::Closed => {
                self.json.close_list()?;
                Section::Closed
            }
        };
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        // A summary has no pass.
        while self.section != Section::Closed {
            self.pass_ended()?;
        }
        self.json.finish()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(rename = "$schema")]
    schema: String,
    bom_format: &'static str,
    spec_version: &'static str,
    version: u32,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    timestamp: Text<Timestamp>,
    tools: Tools,
    properties: Vec<Property<'a>>,
}

impl<'a> Metadata<'a> {
    fn of(conclusion: &Conclusion<'a>, view: AuditView) -> Self {
        let mut properties = Properties::default();
        properties.add("snapkey:exit_code", Some(conclusion.exit_code.to_string()));
        properties.add(
            "snapkey:historical",
            Some(conclusion.frame.historical.to_string()),
        );
        let listed = if view.summary { "left-out" } else { "all" };
        properties.add("snapkey:snapshots", Some(listed));
        for root in conclusion.frame.roots {
            let text = format!("{} {} {}", root.source, root.base_url, root.scope);
            properties.add("snapkey:root", Some(text));
        }
        if let Some(estate) = conclusion.estate {
            properties.add("snapkey:covered_at", text(estate.covered_at));
            let incomplete = estate.projects.iter().filter(|row| !row.complete);
            for row in incomplete {
                properties.add("snapkey:incomplete_project", Some(row.project.id.as_str()));
            }
        }
        Self {
            timestamp: Text(conclusion.frame.as_of),
            tools: Tools {
                components: [Tool {
                    kind: "application",
                    name: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                }],
            },
            properties: properties.0,
        }
    }
}

#[derive(Serialize)]
struct Tools {
    components: [Tool; 1],
}

#[derive(Serialize)]
struct Tool {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    reference: String,
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crypto_properties: Option<CryptoProperties<'a>>,
    properties: Vec<Property<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CryptoProperties<'a> {
    asset_type: &'static str,
    related_crypto_material_properties: Material<'a>,
}

/// No `value`, by design.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Material<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_date: Option<Text<Timestamp>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    depends_on: Vec<String>,
}

#[derive(Serialize)]
struct Property<'a> {
    name: &'static str,
    value: Cow<'a, str>,
}

#[derive(Default)]
struct Properties<'a>(Vec<Property<'a>>);

impl<'a> Properties<'a> {
    /// Nothing for what is not known.
    fn add(&mut self, name: &'static str, value: Option<impl Into<Cow<'a, str>>>) {
        if let Some(value) = value {
            self.0.push(Property {
                name,
                value: value.into(),
            });
        }
    }
}

impl<'a> Component<'a> {
    fn add(&mut self, name: &'static str, value: Option<impl Into<Cow<'a, str>>>) {
        let mut properties = Properties(std::mem::take(&mut self.properties));
        properties.add(name, value);
        self.properties = properties.0;
    }
}

/// Serialized as it is displayed.
struct Text<T>(T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

fn text(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

fn key_component<'a>(
    id: impl Into<Cow<'a, str>>,
    state: Option<&'static str>,
    expires: Option<Timestamp>,
) -> Component<'a> {
    let id = id.into();
    Component {
        kind: "cryptographic-asset",
        reference: key_reference(&id),
        name: id.clone(),
        crypto_properties: Some(CryptoProperties {
            asset_type: "related-crypto-material",
            related_crypto_material_properties: Material {
                // Which algorithm a key is of is not read.
                kind: "key",
                id,
                state,
                expiration_date: expires.map(Text),
            },
        }),
        properties: Vec::new(),
    }
}

fn resolved<'a>(row: &'a ResolvedKey, id: &str) -> Component<'a> {
    let ResolvedKey {
        key,
        state: answer,
        verdict,
    } = row;
    let (state, why) = match state(answer) {
        Ok(state) => (Some(state), None),
        Err(why) => (None, Some(why)),
    };
    let condition = answer.condition.as_ref();
    let mut component = key_component(id.to_owned(), state, condition.and_then(Condition::date));
    component.add("snapkey:resolved", Some("true"));
    component.add("snapkey:provider", Some(key.provider().word()));
    component.add("snapkey:unit", Some(key.unit().to_string()));
    component.add("snapkey:state_unknown", why);
    component.add("snapkey:condition", condition.map(Condition::word));
    component.add("snapkey:reason", condition.and_then(Condition::reason));
    component.add("snapkey:native", answer.native.as_deref());
    component.add("snapkey:observed_at", text(answer.observed_at));
    component.add("snapkey:verdict", Some(verdict.verdict.word()));
    component.add("snapkey:safe_after", text(verdict.safe_after.date()));
    component.add("snapkey:safe_after_kind", Some(verdict.safe_after.word()));
    for kind in DependantKind::ALL {
        let count = verdict.counts.of(kind);
        if count > 0 {
            let dependants = format!("{} {count}", kind.word());
            component.add("snapkey:dependants", Some(dependants));
        }
    }
    for kind in kinds(verdict.doubts.iter().map(|doubt| doubt.kind)) {
        component.add("snapkey:doubt", Some(kind.word()));
    }
    component
}

fn unresolved(spelling: &str) -> Component<'_> {
    let mut component = key_component(spelling.to_owned(), None, None);
    component.add("snapkey:resolved", Some("false"));
    component.add("snapkey:state_unknown", Some("key-unresolved"));
    component.add("snapkey:verdict", Some(Deletability::Unknown.word()));
    component
}

fn kinds(doubts: impl Iterator<Item = DoubtKind>) -> BTreeSet<DoubtKind> {
    doubts.collect()
}

fn snapshot(row: &SnapshotVerdict) -> Component<'_> {
    let mut component = Component {
        kind: "data",
        reference: snapshot_reference(row),
        name: Cow::Borrowed(&row.id),
        crypto_properties: None,
        properties: Vec::new(),
    };
    component.add("snapkey:base_url", Some(row.project.base_url.as_str()));
    component.add("snapkey:project", Some(row.project.id.as_str()));
    component.add("snapkey:cluster", Some(row.cluster.as_str()));
    component.add("snapkey:verdict", Some(row.verdict.word()));
    for reason in &row.reasons {
        component.add("snapkey:reason", Some(reason.as_str()));
    }
    for action in &row.actions {
        component.add("snapkey:action", Some(*action));
    }
    component.add("snapkey:deadline", text(row.deadline));
    component.add("snapkey:created_at", text(row.created_at));
    component.add("snapkey:expires_at", text(row.expires_at));
    component
}

/// A snapshot without a key gets an empty list only where that is settled, which a restorable one
/// is: "components not represented in the dependency graph may have unknown dependencies"
/// (CycloneDX 1.6, `dependencies`).
fn dependency(row: &SnapshotVerdict) -> Option<Dependency> {
    if row.keys.is_empty() && row.verdict != Restorability::Restorable {
        return None;
    }
    let mut depends_on: Vec<String> = row.keys.iter().map(|key| key_reference(key)).collect();
    depends_on.dedup();
    Some(Dependency {
        reference: snapshot_reference(row),
        depends_on,
    })
}

fn key_reference(id: &str) -> String {
    format!("key:{}", utf8_percent_encode(id, PLAIN))
}

fn snapshot_reference(row: &SnapshotVerdict) -> String {
    let part = |text| utf8_percent_encode(text, PLAIN);
    format!(
        "snapshot:{}/{}/{}/{}",
        part(&row.project.base_url),
        part(&row.project.id),
        part(&row.cluster),
        part(&row.id)
    )
}

/// The state of NIST SP 800-57 part 1, section 7, as CycloneDX spells it; else why there is none.
/// An answer that is too old says nothing: a key is never `active` on the strength of it.
fn state(answer: &KeyState) -> Result<&'static str, &'static str> {
    let KeyState {
        condition,
        native,
        observed_at: _,
        fresh,
    } = answer;
    let Some(condition) = condition else {
        return Err("not-probed");
    };
    if !fresh {
        return Err("probe-stale");
    }
    let is_native = |words: &[&str]| {
        let native = native.as_deref().unwrap_or_default();
        words.iter().any(|word| {
            let letters = native.chars().filter(char::is_ascii_alphanumeric);
            letters.map(|c| c.to_ascii_lowercase()).eq(word.chars())
        })
    };
    Ok(match condition {
        Condition::Enabled { expires: _ } => "active",
        // It applies no protection any more, or not now, and still takes it off.
        Condition::UnwrapOnly { why: _ } if is_native(&["compromised"]) => "compromised",
        Condition::UnwrapOnly { why: _ } => "deactivated",
        Condition::Disabled if is_native(&["preactive"]) => "pre-activation",
        Condition::Disabled | Condition::Unavailable { what: _ } => "suspended",
        // On its way out. Undone, it comes back disabled or enabled.
        Condition::PendingDeletion { deadline: _ } | Condition::SoftDeleted { purge: _ } => {
            "deactivated"
        }
        // It waits for its material.
        Condition::MaterialMissing => "pre-activation",
        Condition::Transient if is_native(&["creating", "pendinggeneration", "pendingimport"]) => {
            "pre-activation"
        }
        Condition::Transient => return Err("transient"),
        Condition::Destroyed { proof: _ } => "destroyed",
        Condition::Unknown { reason, detail: _ } => return Err(reason.word()),
    })
}
