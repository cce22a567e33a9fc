//! Writing one JSON document in pieces. Knows JSON, and no command.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::JSON_VERSION;
use super::shapes::{Time, Tool};
use crate::model::Timestamp;
use crate::report::text::is_unsafe;

/// An object that is being written, one member a line. It is only whole after `finish`.
pub(super) struct Document<'w> {
    out: BufWriter<&'w mut dyn Write>,
    /// The next row of the open list is its first.
    first_row: bool,
}

impl<'w> Document<'w> {
    /// Begins `snapkey.<command>/1` with the members that every document has.
    pub(super) fn begin(
        command: &str,
        as_of: Timestamp,
        out: &'w mut dyn Write,
    ) -> io::Result<Self> {
        let mut document = Self {
            out: BufWriter::new(out),
            first_row: true,
        };
        document.out.write_all(b"{\"schema\":")?;
        document.value(&format!("snapkey.{command}/{JSON_VERSION}"))?;
        document.member("as_of", &Time(as_of))?;
        document.member("tool", &Tool::default())?;
        Ok(document)
    }

    pub(super) fn member(&mut self, name: &'static str, value: &impl Serialize) -> io::Result<()> {
        self.name(name)?;
        self.value(value)
    }

    /// A member that is a list, one row a line.
    pub(super) fn list<T: Serialize>(
        &mut self,
        name: &'static str,
        rows: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        self.open_list(name)?;
        for row in rows {
            self.row(&row)?;
        }
        self.close_list()
    }

    /// Begins a list whose rows come one by one.
    pub(super) fn open_list(&mut self, name: &'static str) -> io::Result<()> {
        self.name(name)?;
        self.first_row = true;
        self.out.write_all(b"[")
    }

    pub(super) fn row(&mut self, row: &impl Serialize) -> io::Result<()> {
        let before: &[u8] = if self.first_row { b"\n" } else { b",\n" };
        self.first_row = false;
        self.out.write_all(before)?;
        self.value(row)
    }

    pub(super) fn close_list(&mut self) -> io::Result<()> {
        self.out.write_all(b"]")
    }

    /// Ends the object, and hands everything on.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(b"}\n")?;
        self.out.flush()
    }

    fn name(&mut self, name: &'static str) -> io::Result<()> {
        self.out.write_all(b",\n")?;
        self.value(name)?;
        self.out.write_all(b":")
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
        let mut serializer = Serializer::with_formatter(&mut self.out, Escaping);
        value.serialize(&mut serializer).map_err(io::Error::from)
    }
}

/// Compact JSON that spells every character which `text::escape` hides from terminals as
/// `\uXXXX`: to a reader of JSON the same string, to a terminal harmless.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        let mut rest = fragment;
        // Nearly all text is of this kind.
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            let (before, after) = rest.split_at(at);
            CompactFormatter.write_string_fragment(writer, before)?;
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = after.get(c.len_utf8()..).unwrap_or_default();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_in_pieces_is_one_document() {
        let mut bytes = Vec::new();
        let as_of = Timestamp::floor("2026-11-01T06:00:00Z").unwrap();
        let mut document = Document::begin("trial", as_of, &mut bytes).unwrap();
        document.list("empty", Vec::<u8>::new()).unwrap();
        document.list("numbers", [1, 2]).unwrap();
        document.member("name", &"x").unwrap();
        document.open_list("rows").unwrap();
        document.row(&"a").unwrap();
        document.close_list().unwrap();
        document.finish().unwrap();

        let text = String::from_utf8(bytes).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            text,
            format!(
                "{{\"schema\":\"snapkey.trial/1\",\n\
                 \"as_of\":\"2026-11-01T06:00:00Z\",\n\
                 \"tool\":{{\"name\":\"snapkey\",\"version\":\"{version}\"}},\n\
                 \"empty\":[],\n\
                 \"numbers\":[\n1,\n2],\n\
                 \"name\":\"x\",\n\
                 \"rows\":[\n\"a\"]}}\n"
            )
        );
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }

    #[test]
    fn hostile_strings_are_escaped_and_unchanged() {
        for hostile in [
            "\u{1b}[2J\u{9b}2J\u{7f}",
            "\u{202e}reversed",
            "tag\u{e0041}end\u{feff}",
            "\"quoted\\\n\"",
            "Größe 東京 🔑",
        ] {
            let mut bytes = Vec::new();
            let mut serializer = Serializer::with_formatter(&mut bytes, Escaping);
            hostile.serialize(&mut serializer).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.chars().any(is_unsafe), "{text}");
            let back: String = serde_json::from_str(&text).unwrap();
            assert_eq!(back, hostile);
        }
    }
}
