//! The layout of a plan: which of its parts are read, as they stream by. One resource is held at a
//! time, and of its values only what has to do with keys; everything else is walked over, within
//! the JSON reader's limit of depth.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::resource::{self, Kind, Step};
use super::values::{Body, MAX_TEXT};
use super::{Change, Plan, PlanError};

/// Flaws beyond these are counted.
const MAX_FLAWS: usize = 100;

/// What was found at the top of the file.
#[derive(Default)]
pub(super) struct Document {
    version: Option<Value>,
    errored: Option<Value>,
    complete: Option<Value>,
    resource_changes: Option<Found>,
    deferred_changes: Option<Found>,
    has_planned_values: bool,
    has_state: bool,
    is_log: bool,
}

/// What a list of resource changes comes down to.
#[derive(Default)]
struct Found {
    changes: Vec<Change>,
    flaws: Flaws,
}

#[derive(Default)]
struct Flaws {
    kept: Vec<String>,
    more: usize,
}

impl Flaws {
    fn push(&mut self, flaw: String) {
        if self.kept.len() < MAX_FLAWS {
            self.kept.push(flaw);
        } else {
            self.more += 1;
        }
    }

    fn absorb(&mut self, other: Self) {
        for flaw in other.kept {
            self.push(flaw);
        }
        self.more += other.more;
    }

    fn into_sentences(mut self) -> Vec<String> {
        if self.more > 0 {
            self.kept.push(format!("{} more of this kind", self.more));
        }
        self.kept
    }
}

/// Reads the first document, and that nothing follows it.
pub(super) fn read(text: impl Read) -> Result<Document, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_reader(text);
    let document = Document::deserialize(&mut reader)?;
    if !document.is_log {
        reader.end()?;
    }
    Ok(document)
}

impl Document {
    /// # Errors
    ///
    /// What the file is instead of a plan.
    pub(super) fn into_plan(self, name: &str) -> Result<Plan, PlanError> {
        let name = || name.to_owned();
        let not_a_plan = |why| PlanError::NotAPlan { name: name(), why };
        if self.is_log {
            return Err(PlanError::Log { name: name() });
        }
        let is_plan = self.resource_changes.is_some() || self.has_planned_values;
        if self.has_state && !is_plan {
            return Err(PlanError::State { name: name() });
        }
        match &self.version {
            Some(Value::String(version)) => {
                let major = version.split('.').next().unwrap_or_default();
                if !["0", "1"].contains(&major) {
                    return Err(PlanError::Version {
                        name: name(),
                        version: cut(version, 64),
                    });
                }
            }
            Some(_) | None => return Err(not_a_plan("it has no `format_version`")),
        }
        // A plan that touches no resource leaves out `resource_changes`, never `planned_values`.
        if !is_plan {
            return Err(not_a_plan(
                "it has neither `resource_changes` nor `planned_values`",
            ));
        }
        let mut flaws = Flaws::default();
        match self.errored {
            None | Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) => flaws.push(
                "planning failed (`errored`): what would have come after is not in the plan"
                    .to_owned(),
            ),
            Some(_) => flaws.push("`errored` is neither true nor false".to_owned()),
        }
        match self.complete {
            None | Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => flaws.push(
                "the plan is not complete (`complete` is false): it was made with `-target`, or \
                 puts changes off that another plan will make"
                    .to_owned(),
            ),
            Some(_) => flaws.push("`complete` is neither true nor false".to_owned()),
        }
        let mut changes = Vec::new();
        for found in [self.resource_changes, self.deferred_changes]
            .into_iter()
            .flatten()
        {
            changes.extend(found.changes);
            flaws.absorb(found.flaws);
        }
        Ok(Plan {
            changes,
            flaws: flaws.into_sentences(),
        })
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Top;

        impl<'de> Visitor<'de> for Top {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a plan")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
                let mut document = Document::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "format_version" => once(&mut document.version, &mut map)?,
                        "errored" => once(&mut document.errored, &mut map)?,
                        "complete" => once(&mut document.complete, &mut map)?,
                        "resource_changes" => {
                            let found = map.next_value_seed(List::Planned)?;
                            set(&mut document.resource_changes, found)?;
                        }
                        "deferred_changes" => {
                            let found = map.next_value_seed(List::Deferred)?;
                            set(&mut document.deferred_changes, found)?;
                        }
                        other => {
                            map.next_value::<Skipped>()?;
                            document.has_planned_values |= other == "planned_values";
                            // `show -json` of a state, and the state file itself.
                            document.has_state |= ["values", "lineage", "serial"].contains(&other);
                            document.is_log |= ["@level", "@message"].contains(&other);
                        }
                    }
                }
                Ok(document)
            }
        }

        deserializer.deserialize_map(Top)
    }
}

fn once<'de, A: MapAccess<'de>>(slot: &mut Option<Value>, map: &mut A) -> Result<(), A::Error> {
    let value = map.next_value()?;
    set(slot, value)
}

/// A field that is there twice says two things.
fn set<T, E: Error>(slot: &mut Option<T>, value: T) -> Result<(), E> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom("a field is there twice")),
    }
}

/// The two lists of resource changes.
#[derive(Clone, Copy)]
enum List {
    Planned,
    /// Each with a reason; applying this plan does not make them.
    Deferred,
}

impl<'de> DeserializeSeed<'de> for List {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of resource changes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found, A::Error> {
        let mut found = Found::default();
        let mut at = 0_usize;
        loop {
            match self {
                Self::Planned => match list.next_element::<Row>()? {
                    Some(row) => row.judge(at, &mut found),
                    None => break,
                },
                Self::Deferred => match list.next_element::<DeferredRow>()? {
                    Some(row) => row.judge(at, &mut found.flaws),
                    None => break,
                },
            }
            at += 1;
        }
        Ok(found)
    }
}

/// A deferred change: the reason, and the change as far as it is known.
#[derive(Deserialize)]
struct DeferredRow {
    #[serde(default)]
    reason: Value,
    resource_change: Option<Row>,
}

impl DeferredRow {
    fn judge(self, at: usize, flaws: &mut Flaws) {
        let row = self.resource_change.unwrap_or_default();
        if row.kind().is_some() {
            flaws.push(format!(
                "the change of `{}` is put off to another plan ({})",
                row.name("deferred_changes", at),
                cut(self.reason.as_str().unwrap_or("without a reason"), 64)
            ));
        }
    }
}

/// A resource change. Fields of a wrong type are kept as they are, to be told apart from absent
/// ones.
#[derive(Default)]
struct Row {
    address: Option<Value>,
    mode: Option<Value>,
    resource_type: Option<Value>,
    deposed: Option<Value>,
    /// Absent also where the type has nothing to do with keys.
    change: Option<Value>,
}

impl Row {
    /// `None` if keys have nothing to do with it.
    fn kind(&self) -> Option<Kind> {
        if self.mode.as_ref().is_some_and(|mode| mode == "data") {
            return None;
        }
        match &self.resource_type {
            Some(Value::String(name)) => Kind::of(name),
            Some(_) | None => Some(Kind::Untold),
        }
    }

    fn judge(self, at: usize, found: &mut Found) {
        let Some(kind) = self.kind() else {
            return;
        };
        let body = Body::of(self.change.as_ref());
        let step = Step::of(&body);
        let changes = resource::judge(kind, step, &body);
        if step == Step::Nothing {
            return;
        }
        let address = self.name("resource_changes", at);
        if step == Step::Untold && !changes.is_empty() {
            let actions = body.actions.map(Value::to_string).unwrap_or_default();
            found.flaws.push(format!(
                "the actions of `{address}` are unknown, and were read as the gravest: `{}`",
                cut(&actions, 64)
            ));
        }
        found
            .changes
            .extend(changes.into_iter().map(|(action, keys)| Change {
                address: address.clone(),
                action,
                keys,
            }));
    }

    fn name(&self, list: &str, at: usize) -> String {
        let mut name = match &self.address {
            Some(Value::String(address)) if !address.is_empty() => cut(address, MAX_TEXT),
            Some(_) | None => format!("{list}[{at}]"),
        };
        match &self.deposed {
            None | Some(Value::Null) => {}
            Some(Value::String(key)) => {
                name.push_str(&format!(" (deposed object {})", cut(key, 64)));
            }
            Some(_) => name.push_str(" (deposed object)"),
        }
        name
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a resource change")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut row = Row::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "address" => once(&mut row.address, &mut map)?,
                        "mode" => once(&mut row.mode, &mut map)?,
                        "type" => once(&mut row.resource_type, &mut map)?,
                        "deposed" => once(&mut row.deposed, &mut map)?,
                        // Terraform writes the type first; tools that sort keys do not.
                        "change" if row.resource_type.is_none() || row.kind().is_some() => {
                            once(&mut row.change, &mut map)?;
                        }
                        _ => {
                            map.next_value::<Skipped>()?;
                        }
                    }
                }
                Ok(row)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// Text that is kept, cut at a character.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes)])
}

/// A value that is walked over. Unlike [`IgnoredAny`], it goes down level by level, and so within
/// the JSON reader's limit of depth.
struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Skipped {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, Self>()?.is_some() {}
        Ok(self)
    }
}
