//! A small JSON tree for what is not read in bulk, and the forgiving way to take fields out of
//! it: a field of the wrong type is a flaw of its record and never the end of it. Unlike a map it
//! keeps a member that is given twice, because the second may be there to hide the first.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::report::quoted;
use crate::model::Timestamp;

/// Longest name, id or word that is read, in bytes.
pub(super) const MAX_TEXT: usize = 4096;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Node {
    /// Reads one document; the message names no content.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| broken(&error))
    }

    /// The last member of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .rev()
                .find_map(|(found, value)| (found == name).then_some(value)),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// Whether a member of that name is there and not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| *value != Self::Null)
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    pub(super) fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Object(_) => None,
        }
    }

    pub(super) fn as_status(&self) -> Option<u16> {
        match self {
            Self::Number(number) => number.as_u64().and_then(|status| status.try_into().ok()),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// What kind of JSON it is, for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// serde_json's message without the line and column of a slice that nobody sees.
pub(super) fn broken(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or_default();
    // A wrong type quotes the value that it found, which is not for messages.
    let message = match message.split_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => message.to_owned(),
    };
    format!("is no JSON that can be read: {message}")
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct AnyNode;
        impl<'de> Visitor<'de> for AnyNode {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON")
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(serde_json::Number::from_f64(value).map_or(Node::Null, Node::Number))
            }
            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Text(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Node, E> {
                Ok(Node::Text(value))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(row) = rows.next_element()? {
                    list.push(row);
                }
                Ok(Node::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Node::Object(members))
            }
        }
        input.deserialize_any(AnyNode)
    }
}

/// Takes fields out of one object and keeps account of what was wrong with them.
pub(super) struct Fields<'n> {
    node: &'n Node,
    flaws: Vec<String>,
}

impl<'n> Fields<'n> {
    /// The fields of an object; anything else is no record.
    pub(super) fn of(node: &'n Node) -> Result<Self, String> {
        match node {
            Node::Object(members) => {
                let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
                names.sort_unstable();
                let flaws = names
                    .windows(2)
                    .filter(|pair| pair[0] == pair[1])
                    .map(|pair| format!("the member {} is given twice", quoted(pair[0])))
                    .collect();
                Ok(Self { node, flaws })
            }
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
                Err(format!("is {} where a record is expected", node.kind()))
            }
        }
    }

    /// What was wrong, in the order met.
    pub(super) fn into_flaws(self) -> Vec<String> {
        self.flaws
    }

    pub(super) fn flaw(&mut self, text: String) {
        self.flaws.push(text);
    }

    /// Every value of that name, nulls left out.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'n Node> {
        let members: &'n [(String, Node)] = match self.node {
            Node::Object(members) => members,
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => &[],
        };
        let name = name.to_owned();
        members
            .iter()
            .filter(move |(found, value)| *found == name && *value != Node::Null)
            .map(|(_, value)| value)
    }

    /// A value of any kind; null counts as absent.
    pub(super) fn any(&self, name: &str) -> Option<&'n Node> {
        self.node.get(name).filter(|value| **value != Node::Null)
    }

    /// A short text without control characters; the empty text counts as absent.
    pub(super) fn text(&mut self, name: &str) -> Option<&'n str> {
        let value = self.any(name)?;
        match value.as_text().map(|text| (text, fault(text))) {
            Some(("", _)) => None,
            Some((text, None)) => Some(text),
            Some((_, Some(fault))) => {
                self.flaw(format!("`{name}` {fault}"));
                None
            }
            None => {
                self.wrong(name, "a string", value);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        let value = self.any(name)?;
        if let Node::Bool(flag) = value {
            return Some(*flag);
        }
        self.wrong(name, "true or false", value);
        None
    }

    pub(super) fn count(&mut self, name: &str) -> Option<u32> {
        let value = self.any(name)?;
        let count = match value {
            Node::Number(number) => number.as_u64().and_then(|count| count.try_into().ok()),
            Node::Null | Node::Bool(_) | Node::Text(_) | Node::List(_) | Node::Object(_) => None,
        };
        if count.is_none() {
            self.wrong(name, "a whole number", value);
        }
        count
    }

    /// An array; anything else that is there is a flaw and counts as empty.
    pub(super) fn list(&mut self, name: &str) -> &'n [Node] {
        let Some(value) = self.any(name) else {
            return &[];
        };
        value.as_list().unwrap_or_else(|| {
            self.wrong(name, "an array", value);
            &[]
        })
    }

    /// A time cut to its second.
    pub(super) fn sighting(&mut self, name: &str) -> Option<Timestamp> {
        self.time(name, Timestamp::floor)
    }

    /// A time rounded up to its second.
    pub(super) fn until(&mut self, name: &str) -> Option<Timestamp> {
        self.time(name, Timestamp::ceil)
    }

    fn time<E: fmt::Display>(
        &mut self,
        name: &str,
        read: fn(&str) -> Result<Timestamp, E>,
    ) -> Option<Timestamp> {
        let text = self.text(name)?;
        match read(text) {
            Ok(time) => Some(time),
            Err(_) => {
                self.flaw(format!("`{name}` is no time: {}", quoted(text)));
                None
            }
        }
    }

    fn wrong(&mut self, name: &str, expected: &str, found: &Node) {
        self.flaw(format!(
            "`{name}` is {} where {expected} is expected",
            found.kind()
        ));
    }
}

/// Why a name, an id or a word cannot be taken as it is.
pub(super) fn fault(text: &str) -> Option<&'static str> {
    // Without a way out on the way, so that many bytes are looked at in one go.
    let plain = |text: &str| {
        text.bytes()
            .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'))
    };
    if text.len() > MAX_TEXT {
        Some("is longer than 4096 bytes")
    } else if !plain(text) && text.chars().any(char::is_control) {
        Some("holds a control character")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_field_is_a_flaw_and_not_the_end() {
        let node = Node::read(
            br#"{"a":"x","b":7,"c":null,"d":"","e":"2026-02-30T00:00:00Z","f":[1],"g":true,
                "h":-1,"i":"2026-11-01T00:00:00.5Z","j":"x\u0007"}"#,
        )
        .unwrap();
        let mut fields = Fields::of(&node).unwrap();
        assert_eq!(fields.text("a"), Some("x"));
        assert_eq!(fields.text("b"), None);
        assert_eq!(fields.count("b"), Some(7));
        assert_eq!(fields.text("c"), None);
        assert_eq!(fields.text("d"), None);
        assert_eq!(fields.sighting("e"), None);
        assert_eq!(fields.list("f").len(), 1);
        assert!(fields.list("a").is_empty());
        assert_eq!(fields.flag("g"), Some(true));
        assert_eq!(fields.flag("a"), None);
        assert_eq!(fields.count("h"), None);
        let until = fields.until("i").unwrap();
        assert_eq!(until.since(fields.sighting("i").unwrap()), 1);
        assert_eq!(fields.text("j"), None);
        assert_eq!(
            fields.into_flaws(),
            [
                "`b` is a number where a string is expected",
                "`e` is no time: `2026-02-30T00:00:00Z`",
                "`a` is a string where an array is expected",
                "`a` is a string where true or false is expected",
                "`h` is a number where a whole number is expected",
                "`j` holds a control character",
            ]
        );
    }

    #[test]
    fn a_member_given_twice_is_kept_twice() {
        let node = Node::read(br#"{"k":"a","k":null,"k":"b"}"#).unwrap();
        let fields = Fields::of(&node).unwrap();
        let all: Vec<_> = fields.all("k").filter_map(Node::as_text).collect();
        assert_eq!(all, ["a", "b"]);
        assert_eq!(fields.into_flaws().len(), 2);
    }

    #[test]
    fn what_is_no_record_says_so() {
        for (json, message) in [
            ("7", "is a number where a record is expected"),
            ("[]", "is an array where a record is expected"),
        ] {
            let node = Node::read(json.as_bytes()).unwrap();
            assert_eq!(Fields::of(&node).err().as_deref(), Some(message));
        }
        assert!(Node::read(b"{\"a\":tru}").is_err());
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let message = Node::read(deep.as_bytes()).unwrap_err();
        assert!(message.contains("recursion limit"), "{message}");
    }
}
