//! The values of a resource before and after, as a plan gives them: `before`, `after`, and
//! `after_unknown`, which has `true` wherever a value is known only after apply.
//!
//! Terraform writes every attribute of a resource, null where it has none, and leaves out only
//! what is not known yet. So an attribute that is there on one side alone is not "unset" but
//! unreadable, while one that is on neither side is none of this provider version's.

use serde_json::Value;

/// An id or address is not kept beyond this many bytes.
pub(super) const MAX_TEXT: usize = 4 << 10;

/// The `change` of a resource.
pub(super) struct Body<'a> {
    pub(super) actions: Option<&'a Value>,
    pub(super) before: Side<'a>,
    pub(super) after: Side<'a>,
}

impl<'a> Body<'a> {
    pub(super) fn of(change: Option<&'a Value>) -> Self {
        let part = |name| change.and_then(|change| change.get(name));
        Self {
            actions: part("actions"),
            before: Side {
                values: part("before"),
                unknown: None,
            },
            after: Side {
                values: part("after"),
                unknown: part("after_unknown"),
            },
        }
    }

    /// How an attribute moves.
    pub(super) fn shift(&self, name: &str) -> Shift<'a> {
        Shift::between(self.before.field(name), self.after.field(name))
    }
}

/// An object of attributes, on one side of a change.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    values: Option<&'a Value>,
    unknown: Option<&'a Value>,
}

/// One attribute on one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field<'a> {
    /// Not mentioned.
    Absent,
    /// Null, or the empty text that older provider libraries write for it.
    Null,
    Known(&'a Value),
    /// Known after apply, in whole or in part.
    AfterApply,
}

/// What becomes of an attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shift<'a> {
    Same,
    /// Set, or set to something else.
    To(&'a Value),
    /// Set before, unset after.
    Unset,
    /// The plan cannot say.
    Open,
}

impl<'a> Shift<'a> {
    pub(super) fn between(before: Field<'a>, after: Field<'a>) -> Self {
        match (before, after) {
            (Field::Absent, Field::Absent) | (Field::Null, Field::Null) => Self::Same,
            (Field::AfterApply | Field::Absent, _) | (_, Field::AfterApply | Field::Absent) => {
                Self::Open
            }
            (Field::Known(_), Field::Null) => Self::Unset,
            (Field::Known(before), Field::Known(after)) if before == after => Self::Same,
            (Field::Null | Field::Known(_), Field::Known(after)) => Self::To(after),
        }
    }
}

impl<'a> Side<'a> {
    /// Whether there is an object at all.
    pub(super) fn is_there(self) -> bool {
        self.values.is_some_and(|values| !values.is_null())
    }

    pub(super) fn field(self, name: &str) -> Field<'a> {
        if self.unknown_at(name).is_some_and(any_unknown) {
            return Field::AfterApply;
        }
        match self.values.and_then(|values| values.get(name)) {
            None => Field::Absent,
            Some(value) if value.is_null() || value == "" => Field::Null,
            Some(value) => Field::Known(value),
        }
    }

    /// A nested block: providers write it as a list of at most one object, or as an object.
    pub(super) fn block(self, name: &str) -> Block<'a> {
        let unknown = self.unknown_at(name);
        let values = self.values.and_then(|values| values.get(name));
        match (values, unknown) {
            (_, Some(part @ (Value::Bool(_) | Value::Number(_) | Value::String(_))))
                if any_unknown(part) =>
            {
                Block::Open
            }
            (None, part) if part.is_some_and(any_unknown) => Block::Open,
            (None, _) => Block::Absent,
            (Some(Value::Null), _) => Block::None,
            (Some(Value::Object(_)), unknown) => Block::One(Self { values, unknown }),
            (Some(Value::Array(list)), unknown) => match list.as_slice() {
                [] => Block::None,
                [values @ Value::Object(_)] => Block::One(Self {
                    values: Some(values),
                    unknown: match unknown {
                        Some(Value::Array(unknown)) => unknown.first(),
                        other => other,
                    },
                }),
                [..] => Block::Open,
            },
            (Some(Value::Bool(_) | Value::Number(_) | Value::String(_)), _) => Block::Open,
        }
    }

    fn unknown_at(self, name: &str) -> Option<&'a Value> {
        let unknown = self.unknown?;
        match unknown.as_object() {
            Some(attributes) => attributes.get(name),
            // `true`: the whole object is known after apply.
            None => Some(unknown),
        }
    }

    /// An attribute that names a key.
    ///
    /// # Errors
    ///
    /// Why it cannot be told.
    pub(super) fn id(self, name: &str) -> Result<&'a str, String> {
        match self.field(name) {
            Field::Known(Value::String(text)) if text.len() <= MAX_TEXT => Ok(text),
            Field::Known(Value::String(_)) => {
                Err(format!("`{name}` is longer than {MAX_TEXT} bytes"))
            }
            Field::Known(_) => Err(format!("`{name}` is no text")),
            Field::Null => Err(format!("`{name}` is not set")),
            Field::Absent if self.is_there() => Err(format!("the plan has no `{name}`")),
            Field::Absent => Err("the plan does not say what was there before".to_owned()),
            Field::AfterApply => Err(format!("`{name}` is known only after apply")),
        }
    }
}

/// A nested block on one side.
pub(super) enum Block<'a> {
    /// Not mentioned.
    Absent,
    /// Null or an empty list.
    None,
    One(Side<'a>),
    /// Known after apply, or neither none nor one object.
    Open,
}

/// Whether a part of `after_unknown` says that anything in it is unknown. Only `false` and what
/// holds nothing else is known.
fn any_unknown(part: &Value) -> bool {
    match part {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => list.iter().any(any_unknown),
        Value::Object(attributes) => attributes.values().any(any_unknown),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => true,
    }
}
