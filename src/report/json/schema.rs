//! The JSON Schemas of the documents (`docs/schema/`), made from the structs that write them, and
//! a small validator that knows as much of JSON Schema as they use.
//!
//! After a change: `SNAPKEY_WRITE_SCHEMA=1 cargo test --lib schema`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::{JSON_VERSION, documents, shapes};
use crate::model::verdict::DependantKind;

/// The words of each field that has a closed list of them. A later minor version may know more.
pub(super) mod words {
    use schemars::{Schema, SchemaGenerator, json_schema};
    use serde_json::Value;

    use crate::model::evidence::Condition;
    use crate::model::gate::Action;
    use crate::model::key_id::Provider;
    use crate::model::reading::Source;
    use crate::model::verdict::{
        Class, Code, Deletability, DependantKind, DoubtKind, Intent, Level, ObstacleKind,
        Restorability, RotationVerdict, SafeAfter,
    };

    fn one_of(words: impl IntoIterator<Item = &'static str>) -> Schema {
        let words: Vec<Value> = words.into_iter().map(Value::from).collect();
        json_schema!({"type": "string", "enum": words})
    }

    fn or_null(words: impl IntoIterator<Item = &'static str>) -> Schema {
        let words = words.into_iter().map(Value::from);
        let words: Vec<Value> = words.chain([Value::Null]).collect();
        json_schema!({"type": ["string", "null"], "enum": words})
    }

    macro_rules! words {
        ($($name:ident: $make:ident($words:expr);)*) => {
            $(pub(in crate::report::json) fn $name(_: &mut SchemaGenerator) -> Schema {
                $make($words)
            })*
        };
    }

    words! {
        source: one_of(Source::ALL.map(Source::word));
        provider: one_of(Provider::ALL.map(Provider::word));
        provider_or_null: or_null(Provider::ALL.map(Provider::word));
        condition: one_of(Condition::WORDS);
        condition_or_null: or_null(Condition::WORDS);
        restorability: one_of(Restorability::ALL.map(Restorability::word));
        deletability: one_of(Deletability::ALL.map(Deletability::word));
        answer: one_of(
            Deletability::ALL
                .map(Deletability::word)
                .into_iter()
                // `unknown` is a word of both.
                .chain([RotationVerdict::Pass.word(), RotationVerdict::Fail.word()])
        );
        gate: one_of(["pass", "fail", "undecided"]);
        dependant: one_of(DependantKind::ALL.map(DependantKind::word));
        doubt: one_of(DoubtKind::ALL.map(DoubtKind::word));
        obstacle: one_of(ObstacleKind::ALL.map(ObstacleKind::word));
        matching: one_of([true, false].map(crate::report::words::matching));
        code: one_of(Code::ALL.iter().map(|code| code.word()));
        class: one_of([Class::Definite, Class::Undecided].map(Class::word));
        level: one_of([Level::Deny, Level::Warn, Level::Allow].map(Level::word));
        intent: one_of([Intent::Delete, Intent::Disable, Intent::Rotate].map(Intent::word));
        action: one_of(
            [
                Action::Delete,
                Action::Replace,
                Action::Forget,
                Action::Disable,
                Action::Detach,
                Action::Rotate,
            ]
            .map(Action::word)
        );
        safe_after: one_of(
            [
                SafeAfter::Date(crate::model::Timestamp::EPOCH),
                SafeAfter::NotBefore(None),
                SafeAfter::Indefinite,
                SafeAfter::None,
            ]
            .map(SafeAfter::word)
        );
    }

    pub(in crate::report::json) fn doubts(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": doubt(generator)})
    }
}

impl JsonSchema for shapes::Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

impl JsonSchema for shapes::Counts {
    fn schema_name() -> Cow<'static, str> {
        "DependantCounts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let words = DependantKind::ALL.map(DependantKind::word);
        let count = generator.subschema_for::<u64>();
        let properties: Map<String, Value> = words
            .iter()
            .map(|word| ((*word).to_owned(), count.clone().to_value()))
            .collect();
        json_schema!({"type": "object", "properties": properties, "required": words})
    }
}

impl<M, S: JsonSchema> JsonSchema for shapes::Each<'_, M, S> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Vec::<S>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<S>::json_schema(generator)
    }
}

/// What `audit` opens, and the rows that follow.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is wanted")]
struct Audit<'a> {
    #[schemars(flatten)]
    begun: documents::Audit<'a>,
    /// Null: left out.
    snapshots: Option<Vec<shapes::Snapshot<'a>>>,
}

/// What `snapshots` opens, and the rows that follow.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is wanted")]
struct Snapshots<'a> {
    #[schemars(flatten)]
    begun: documents::Snapshots<'a>,
    snapshots: Vec<shapes::ListedSnapshot<'a>>,
}

fn schema_of<T: JsonSchema>(command: &'static str) -> (&'static str, Value) {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    let name = format!("snapkey.{command}/{JSON_VERSION}");
    schema["title"] = json!(name);
    schema["description"] = json!(format!("What `{command}` prints with `--format json`."));
    schema["properties"]["schema"] = json!({ "const": name });
    (command, schema)
}

/// Every document by the word in its `schema`.
fn all() -> [(&'static str, Value); 11] {
    [
        schema_of::<Audit<'_>>("audit"),
        schema_of::<documents::Check<'_>>("check"),
        schema_of::<documents::Collect<'_>>("collect"),
        schema_of::<documents::Downloads<'_>>("download"),
        schema_of::<documents::Gate<'_>>("gate"),
        schema_of::<documents::Ingest<'_>>("ingest"),
        schema_of::<documents::Keys<'_>>("keys"),
        schema_of::<documents::Probe<'_>>("probe"),
        schema_of::<documents::Explain<'_>>("probe-explain"),
        schema_of::<documents::Projects<'_>>("projects"),
        schema_of::<Snapshots<'_>>("snapshots"),
    ]
}

/// Holds a document against the schema that its first member names.
pub(in crate::report) fn assert_valid(document: &Value) {
    let name = document["schema"].as_str().expect("a `schema`");
    let word = name
        .strip_prefix("snapkey.")
        .and_then(|n| n.split('/').next());
    let (_, schema) = all()
        .into_iter()
        .find(|(command, _)| Some(*command) == word)
        .expect(name);
    let faults = faults(&schema, document);
    assert!(faults.is_empty(), "{name}: {faults:#?}");
}

fn faults(schema: &Value, document: &Value) -> Vec<String> {
    let mut check = Check {
        root: schema,
        faults: Vec::new(),
    };
    check.hold(schema, document, "$");
    check.faults
}

struct Check<'s> {
    root: &'s Value,
    faults: Vec<String>,
}

impl Check<'_> {
    /// # Panics
    /// The schema has a keyword that this does not know: it would go unheld.
    fn hold(&mut self, schema: &Value, value: &Value, place: &str) {
        for (keyword, wanted) in schema.as_object().expect("a schema is an object") {
            let holds = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" => true,
                "$ref" => {
                    let pointer = wanted.as_str().unwrap().trim_start_matches('#');
                    let schema = self.root.pointer(pointer).expect(pointer);
                    self.hold(schema, value, place);
                    true
                }
                "type" => match wanted.as_array() {
                    Some(types) => types.iter().any(|one| is_a(one, value)),
                    None => is_a(wanted, value),
                },
                "enum" => wanted.as_array().unwrap().contains(value),
                "const" => wanted == value,
                "minimum" => value.as_u64() >= wanted.as_u64(),
                "maximum" => value.as_u64() <= wanted.as_u64(),
                "format" => match (wanted.as_str().unwrap(), value) {
                    ("date-time", Value::String(text)) => is_time(text),
                    ("date-time", _) => value.is_null(),
                    ("uint" | "uint8" | "uint64", _) => value.is_u64(),
                    (other, _) => panic!("format `{other}`"),
                },
                "required" => wanted.as_array().unwrap().iter().all(|name| {
                    let object = value.as_object();
                    object.is_none_or(|o| o.contains_key(name.as_str().unwrap()))
                }),
                "properties" => {
                    for (name, schema) in wanted.as_object().unwrap() {
                        if let Some(value) = value.get(name) {
                            self.hold(schema, value, &format!("{place}.{name}"));
                        }
                    }
                    true
                }
                "items" => {
                    for (no, row) in value.as_array().into_iter().flatten().enumerate() {
                        self.hold(wanted, row, &format!("{place}[{no}]"));
                    }
                    true
                }
                "anyOf" => wanted.as_array().unwrap().iter().any(|one| {
                    let mut check = Check {
                        root: self.root,
                        faults: Vec::new(),
                    };
                    check.hold(one, value, place);
                    check.faults.is_empty()
                }),
                other => panic!("keyword `{other}`"),
            };
            if !holds {
                self.faults
                    .push(format!("{place}: {keyword} {wanted}: {value}"));
            }
        }
    }
}

fn is_a(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("type `{other}`"),
    }
}

/// `2026-11-01T06:00:00Z`
fn is_time(text: &str) -> bool {
    text.len() == 20
        && text.ends_with('Z')
        && crate::model::Timestamp::floor(text).is_ok_and(|at| at.to_string() == text)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema")
}

#[test]
fn the_published_schemas_are_those_of_the_structs() {
    #[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
    let write = std::env::var_os("SNAPKEY_WRITE_SCHEMA").is_some();
    let mut names = BTreeSet::new();
    for (command, schema) in all() {
        let name = format!("snapkey.{command}.json");
        let path = folder().join(&name);
        let text = format!("{schema:#}\n");
        if write {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            published, text,
            "{name}: write it with SNAPKEY_WRITE_SCHEMA=1"
        );
        names.insert(name);
    }
    let there: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, names);
}

/// "All fields are always present, null when unknown"; what is not named may be added later.
#[test]
fn every_field_is_required_and_more_are_allowed() {
    fn walk(schema: &Value, objects: &mut usize) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            let required: BTreeSet<&str> = schema["required"]
                .as_array()
                .expect("required")
                .iter()
                .map(|name| name.as_str().unwrap())
                .collect();
            let named: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
            assert_eq!(required, named);
            *objects += 1;
        }
        assert_eq!(schema.get("additionalProperties"), None);
        for part in schema.as_object().into_iter().flat_map(Map::values) {
            walk(part, objects);
        }
        for part in schema.as_array().into_iter().flatten() {
            walk(part, objects);
        }
    }
    for (command, schema) in all() {
        let mut objects = 0;
        walk(&schema, &mut objects);
        assert!(objects >= 2, "{command}: {objects}");
    }
}

/// A validator that lets everything pass would hold nothing.
#[test]
fn broken_documents_are_found() {
    let schema = schema_of::<documents::Downloads<'_>>("download").1;
    let good = json!({
        "schema": "snapkey.download/1", "as_of": "2026-11-01T06:00:00Z",
        "tool": {"name": "snapkey", "version": "1"},
        "downloads": [{"id": "d1", "project": null, "cluster": null, "snapshot": null,
            "keys": ["k"], "finished_at": null, "forgotten_at": "2026-11-01T06:00:00Z",
            "reason": null, "added_later": 1}],
    });
    assert_eq!(faults(&schema, &good), [""; 0]);
    let table = [
        ("/schema", json!("snapkey.check/1")),
        ("/as_of", json!("2026-11-01 06:00")),
        ("/as_of", json!(null)),
        ("/tool", json!({"name": "snapkey"})),
        ("/downloads", json!({})),
        ("/downloads/0/keys/0", json!(1)),
        ("/downloads/0/forgotten_at", json!("soon")),
        ("/downloads/0/id", json!(null)),
    ];
    for (pointer, broken) in table {
        let mut document = good.clone();
        *document.pointer_mut(pointer).unwrap() = broken;
        assert!(!faults(&schema, &document).is_empty(), "{pointer}");
    }
    let check = schema_of::<documents::Keys<'_>>("keys").1;
    let condition = check.pointer("/$defs/KeyRow/properties/condition").unwrap();
    for (word, known) in [("enabled", true), ("fine", false)] {
        let found = faults(condition, &json!(word));
        assert_eq!(found.is_empty(), known, "{word}");
    }
    assert!(faults(condition, &Value::Null).is_empty());
}
