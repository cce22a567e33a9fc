//! One table of `snapkey.toml`, read key by key: every wrong value and every unknown key becomes a
//! problem of its own, so that one run reports them all. Knows TOML, and no key of the
//! configuration by name.

use std::collections::BTreeMap;
use std::fmt;

use toml::{Table, Value};

use crate::model::Timestamp;
use crate::model::policy::{DAY, HOUR};

/// Something in the file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// `[gcp]`, `[[key]] 2`; empty at the top level.
    table: String,
    key: Option<String>,
    what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, key, what } = self;
        match (table.is_empty(), key) {
            (true, Some(key)) => write!(f, "`{key}`: {what}"),
            (true, None) => f.write_str(what),
            (false, Some(key)) => write!(f, "{table}, `{key}`: {what}"),
            (false, None) => write!(f, "{table}: {what}"),
        }
    }
}

/// A table whose keys are taken out one by one; what is left in the end is unknown.
pub(super) struct Section<'p> {
    name: String,
    table: Table,
    problems: &'p mut Vec<Problem>,
}

impl<'p> Section<'p> {
    pub(super) fn top(table: Table, problems: &'p mut Vec<Problem>) -> Self {
        Self {
            name: String::new(),
            table,
            problems,
        }
    }

    pub(super) fn problem(&mut self, key: &str, what: impl Into<String>) {
        self.problems.push(Problem {
            table: self.name.clone(),
            key: Some(key.to_owned()),
            what: what.into(),
        });
    }

    /// A problem of the table as a whole.
    pub(super) fn objection(&mut self, what: impl Into<String>) {
        self.problems.push(Problem {
            table: self.name.clone(),
            key: None,
            what: what.into(),
        });
    }

    /// `value` where it is there; its absence is a problem.
    pub(super) fn required<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        // A value that was there and wrong has been reported by whoever read it.
        let reported = self
            .problems
            .iter()
            .any(|problem| problem.table == self.name && problem.key.as_deref() == Some(key));
        if value.is_none() && !reported {
            self.problem(key, "is missing");
        }
        value
    }

    /// A text that is not blank.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let value = self.table.remove(key)?;
        self.as_text(key, value)
    }

    fn as_text(&mut self, key: &str, value: Value) -> Option<String> {
        match value {
            Value::String(text) if text.trim().is_empty() => {
                self.problem(key, "is empty");
                None
            }
            Value::String(text) => Some(text),
            Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)
            | Value::Table(_) => {
                self.problem(key, wrong_type("a text", &value));
                None
            }
        }
    }

    /// A list of texts that are not blank; absent is empty.
    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        match self.table.remove(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .into_iter()
                .filter_map(|item| self.as_text(key, item))
                .collect(),
            Some(
                value @ (Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Table(_)),
            ) => {
                self.problem(key, wrong_type("a list of texts", &value));
                Vec::new()
            }
        }
    }

    /// Whether the key stands in the table, read or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether the key holds a list.
    pub(super) fn is_list(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(Value::is_array)
    }

    pub(super) fn port(&mut self, key: &str) -> Option<u16> {
        self.number(key, 1, u16::MAX, "port")
    }

    /// A whole number between two bounds, which is called `what` in a complaint.
    pub(super) fn number(&mut self, key: &str, from: u16, to: u16, what: &str) -> Option<u16> {
        let value = self.table.remove(key)?;
        let number = value
            .as_integer()
            .and_then(|number| u16::try_from(number).ok())
            .filter(|number| (from..=to).contains(number));
        if number.is_none() {
            self.problem(key, format!("`{value}` is no {what} ({from} to {to})"));
        }
        number
    }

    /// Seconds, written as `90s`, `30m`, `24h` or `90d`.
    pub(super) fn duration(&mut self, key: &str) -> Option<i64> {
        let text = self.text(key)?;
        let seconds = seconds(&text);
        if seconds.is_none() {
            self.problem(
                key,
                format!("`{text}` is no length of time such as 90s, 30m, 24h or 90d"),
            );
        }
        seconds
    }

    /// An instant from which something counts; a bare date is its first second.
    pub(super) fn since(&mut self, key: &str) -> Option<Timestamp> {
        self.instant(key, Timestamp::floor, 0)
    }

    /// An instant until which something counts; a bare date is included, to its last second.
    pub(super) fn until(&mut self, key: &str) -> Option<Timestamp> {
        self.instant(key, Timestamp::ceil, DAY)
    }

    fn instant<E: fmt::Display>(
        &mut self,
        key: &str,
        read: fn(&str) -> Result<Timestamp, E>,
        length_of_a_date: i64,
    ) -> Option<Timestamp> {
        let text = match self.table.remove(key)? {
            Value::Datetime(native) => native.to_string(),
            value @ (Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Array(_)
            | Value::Table(_)) => self.as_text(key, value)?,
        };
        // RFC 3339 allows a space for the `T`, and TOML writes one back.
        let read_text = text.replacen(' ', "T", 1);
        let read = if read_text.contains('T') || read_text.contains('t') {
            read(&read_text)
        } else {
            read(&format!("{read_text}T00:00:00Z")).map(|at| at.saturating_add(length_of_a_date))
        };
        match read {
            Ok(at) => Some(at),
            Err(_unread) => {
                self.problem(
                    key,
                    format!(
                        "`{text}` is neither a date such as 2026-10-01 nor a time with a zone \
                         such as 2026-10-01T06:00:00Z"
                    ),
                );
                None
            }
        }
    }

    /// One of the words.
    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let all: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.problem(key, format!("`{text}` is none of {}", all.join(", ")));
        }
        found
    }

    /// The sub-table `key`, read by `read`.
    pub(super) fn table<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> Option<T> {
        match self.table.remove(key)? {
            Value::Table(table) => Some(self.nested(self.path_of(key), table, read)),
            value @ (Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)) => {
                self.problem(key, wrong_type(&format!("a table `[{key}]`"), &value));
                None
            }
        }
    }

    /// Every sub-table, by its key.
    pub(super) fn each_table<T>(
        &mut self,
        read: impl Fn(&mut Section<'_>) -> T,
    ) -> BTreeMap<String, T> {
        let keys: Vec<String> = self.table.keys().cloned().collect();
        keys.into_iter()
            .filter_map(|key| self.table(&key, &read).map(|value| (key, value)))
            .collect()
    }

    /// Every table of the list `[[key]]`, read by `read`; those with a problem are left out.
    pub(super) fn tables<T>(
        &mut self,
        key: &str,
        read: impl Fn(&mut Section<'_>) -> Option<T>,
    ) -> Vec<T> {
        let items = match self.table.remove(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(
                value @ (Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Table(_)),
            ) => {
                self.problem(key, wrong_type(&format!("a list `[[{key}]]`"), &value));
                return Vec::new();
            }
        };
        let mut all = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let name = format!("[[{key}]] {}", index + 1);
            match item {
                Value::Table(table) => all.extend(self.nested(name, table, &read)),
                value @ (Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Array(_)) => self.problem(key, wrong_type("a table", &value)),
            }
        }
        all
    }

    /// `[policy.project]`
    fn path_of(&self, key: &str) -> String {
        match self.name.strip_suffix(']') {
            Some(outer) => format!("{outer}.{key}]"),
            None => format!("[{key}]"),
        }
    }

    fn nested<T>(
        &mut self,
        name: String,
        table: Table,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let mut section = Section {
            name,
            table,
            problems: self.problems,
        };
        let value = read(&mut section);
        section.finish();
        value
    }

    /// Takes everything that is left.
    pub(super) fn drain(&mut self) -> Table {
        std::mem::take(&mut self.table)
    }

    /// Reports every key that nobody took.
    pub(super) fn finish(mut self) {
        for key in self.drain().keys() {
            self.problem(key, "is no key of this table");
        }
    }
}

fn wrong_type(wanted: &str, value: &Value) -> String {
    format!("takes {wanted}, not {}", with_article(value))
}

fn with_article(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a number",
        Value::Float(_) => "a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// One number and one unit. Written here rather than taken from a crate: the contract knows four
/// units and no sums of them.
fn seconds(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..)? {
        "s" => 1,
        "m" => 60,
        "h" => HOUR,
        "d" => DAY,
        _other => return None,
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<i64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("30m", Some(1_800)),
            ("24h", Some(86_400)),
            ("90d", Some(7_776_000)),
            ("0s", Some(0)),
            ("", None),
            ("h", None),
            ("24", None),
            ("24H", None),
            ("24 h", None),
            ("-1h", None),
            ("+1h", None),
            ("1.5h", None),
            ("1h30m", None),
            ("2w", None),
            ("９h", None),
            ("9223372036854775807d", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    fn section_of<T>(toml: &str, read: impl FnOnce(&mut Section<'_>) -> T) -> (T, Vec<String>) {
        let mut problems = Vec::new();
        let mut section = Section::top(toml.parse().unwrap(), &mut problems);
        let value = read(&mut section);
        section.finish();
        (value, problems.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn instants_in_text_and_native() {
        let table = [
            ("2026-10-01", "2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z"),
            (
                "\"2026-10-01\"",
                "2026-10-01T00:00:00Z",
                "2026-10-02T00:00:00Z",
            ),
            (
                "2026-10-01T06:00:00.5+02:00",
                "2026-10-01T04:00:00Z",
                "2026-10-01T04:00:01Z",
            ),
            (
                "2026-10-01 06:00:00Z",
                "2026-10-01T06:00:00Z",
                "2026-10-01T06:00:00Z",
            ),
            (
                "\"2026-10-01T06:00:00Z\"",
                "2026-10-01T06:00:00Z",
                "2026-10-01T06:00:00Z",
            ),
        ];
        for (text, since, until) in table {
            let toml = format!("a = {text}\nb = {text}");
            let ((a, b), problems) = section_of(&toml, |s| (s.since("a"), s.until("b")));
            assert_eq!(a.unwrap().to_string(), since, "{text}");
            assert_eq!(b.unwrap().to_string(), until, "{text}");
            assert!(problems.is_empty(), "{text}");
        }
        for text in [
            "2026-10-01T06:00:00",
            "06:00:00",
            "\"soon\"",
            "20261001",
            "\"1969-01-01\"",
        ] {
            let (read, problems) = section_of(&format!("a = {text}"), |s| s.since("a"));
            assert_eq!((read, problems.len()), (None, 1), "{text}");
        }
    }

    #[test]
    fn every_problem_is_told_once_and_by_place() {
        let toml = "
            number = 3
            blank = ' '
            surplus = 1
            [part]
            name = 'x'
            surplus = 2
            [[item]]
            name = 'y'
            [[item]]
            name = false
            port = 70000
        ";
        let (names, problems) = section_of(toml, |top| {
            top.text("number");
            top.text("blank");
            let absent = top.text("absent");
            top.required("absent", absent);
            top.table("part", |part| part.text("name"));
            top.tables("item", |item| {
                item.port("port");
                let name = item.text("name");
                item.required("name", name)
            })
        });
        assert_eq!(names, ["y"]);
        assert_eq!(
            problems,
            [
                "`number`: takes a text, not a number",
                "`blank`: is empty",
                "`absent`: is missing",
                "[part], `surplus`: is no key of this table",
                "[[item]] 2, `port`: `70000` is no port (1 to 65535)",
                "[[item]] 2, `name`: takes a text, not true or false",
                "`surplus`: is no key of this table",
            ]
        );
    }
}
