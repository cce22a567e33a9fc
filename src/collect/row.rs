//! A row of a list, read for the few members that matter to the collector. A row is taken whatever
//! it is, and a member of another type than it should have is none: a page is not lost for a row.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The members of a row that matter here.
#[derive(Default)]
pub(super) struct Row<'a> {
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) cluster_type: Option<Cow<'a, str>>,
    pub(super) state: Option<Cow<'a, str>>,
    pub(super) shape: Option<Cow<'a, str>>,
    pub(super) created: Option<Cow<'a, str>>,
    /// It has the detail that only a sharded snapshot has.
    pub(super) has_members: bool,
    pub(super) backups: Option<bool>,
    /// For each region, whether its provider is of a shared tier.
    providers: Vec<bool>,
}

impl Row<'_> {
    /// Dedicated unless every region's provider is stated to be a shared one (design section 4).
    pub(super) fn is_dedicated(&self) -> bool {
        self.providers.is_empty() || self.providers.iter().any(|shared| !shared)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Row<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(AnyRow)
    }
}

struct AnyRow;

impl<'de> Visitor<'de> for AnyRow {
    type Value = Row<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
        let mut row = Row::default();
        while let Some(Text(name)) = map.next_key()? {
            let field = match name.as_deref() {
                Some("id") => &mut row.id,
                Some("name") => &mut row.name,
                Some("clusterType") => &mut row.cluster_type,
                Some("stateName") => &mut row.state,
                Some("type") => &mut row.shape,
                Some("createdAt") => &mut row.created,
                Some("backupEnabled" | "providerBackupEnabled") => {
                    if let Some(on) = map.next_value::<Value>()?.as_bool() {
                        row.backups = Some(on || row.backups == Some(true));
                    }
                    continue;
                }
                Some("members" | "snapshotIds") => {
                    let value: Value = map.next_value()?;
                    row.has_members |= value.as_array().is_some_and(|list| !list.is_empty());
                    continue;
                }
                Some("replicationSpecs") => {
                    let specs: Value = map.next_value()?;
                    row.providers.extend(regions(&specs));
                    continue;
                }
                Some("providerSettings") => {
                    let settings: Value = map.next_value()?;
                    row.providers.push(is_shared(&settings));
                    continue;
                }
                Some(_) | None => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *field = map.next_value::<Text<'de>>()?.0;
        }
        Ok(row)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Row<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Row::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Row<'de>, E> {
        Ok(Row::default())
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<Row<'de>, E> {
        Ok(Row::default())
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<Row<'de>, E> {
        Ok(Row::default())
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Row<'de>, E> {
        Ok(Row::default())
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<Row<'de>, E> {
        Ok(Row::default())
    }
    fn visit_unit<E: Error>(self) -> Result<Row<'de>, E> {
        Ok(Row::default())
    }
}

fn regions(specs: &Value) -> Vec<bool> {
    items(Some(specs))
        .iter()
        .flat_map(|spec| items(spec.get("regionConfigs")))
        .map(is_shared)
        .collect()
}

/// The items of a list; of anything else none.
pub(super) fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice)
}

fn is_shared(of: &Value) -> bool {
    let provider = of.get("providerName").and_then(Value::as_str);
    matches!(provider, Some("TENANT" | "FLEX" | "SERVERLESS"))
}

/// A text that is not empty; `None` for anything else.
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(AnyText)
    }
}

struct AnyText;

impl<'de> Visitor<'de> for AnyText {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text((!text.is_empty()).then_some(Cow::Borrowed(text))))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(
            (!text.is_empty()).then(|| Cow::Owned(text.to_owned())),
        ))
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }
    fn visit_unit<E: Error>(self) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}
