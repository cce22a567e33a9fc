//! Writing one JSON document in pieces. Knows JSON, and no command.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use crate::report::text::{ORDER_WITHIN, is_unsafe};

/// An object that is being written, one member a line. It is only whole after `finish`.
pub(in crate::report) struct Document<'w> {
    out: BufWriter<&'w mut dyn Write>,
    /// The next row of the open list is its first.
    first_row: bool,
}

impl<'w> Document<'w> {
    /// Begins with all members of a struct, and leaves the object open for lists whose rows come
    /// one by one.
    pub(in crate::report) fn begin(
        members: &impl Serialize,
        out: &'w mut dyn Write,
    ) -> io::Result<Self> {
        let mut out = BufWriter::new(out);
        let mut serializer = Serializer::with_formatter(&mut out, Lines { depth: 0 });
        members.serialize(&mut serializer)?;
        Ok(Self {
            out,
            first_row: true,
        })
    }

    pub(in crate::report) fn member(
        &mut self,
        name: &'static str,
        value: &impl Serialize,
    ) -> io::Result<()> {
        self.name(name)?;
        self.value(value)
    }

    /// Begins a list whose rows come one by one.
    pub(in crate::report) fn open_list(&mut self, name: &'static str) -> io::Result<()> {
        self.name(name)?;
        self.first_row = true;
        self.out.write_all(b"[")
    }

    pub(in crate::report) fn row(&mut self, row: &impl Serialize) -> io::Result<()> {
        let before: &[u8] = if self.first_row { b"\n" } else { b",\n" };
        self.first_row = false;
        self.out.write_all(before)?;
        self.value(row)
    }

    pub(in crate::report) fn close_list(&mut self) -> io::Result<()> {
        self.out.write_all(b"]")
    }

    /// Ends the object, and hands everything on.
    pub(in crate::report) fn finish(mut self) -> io::Result<()> {
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

/// Each member of the outermost object, and each row of a list that is one, on a line of its own;
/// the object itself stays open.
struct Lines {
    depth: u32,
}

impl Formatter for Lines {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            return Ok(());
        }
        writer.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(match (first, self.depth) {
            (true, _) => b"",
            (false, 1) => b",\n",
            (false, _) => b",",
        })
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        writer.write_all(b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(match (first, self.depth) {
            (true, 2) => b"\n",
            (true, _) => b"",
            (false, 2) => b",\n",
            (false, _) => b",",
        })
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        Escaping.write_string_fragment(writer, fragment)
    }
}

/// Compact JSON that spells every character which `text::escape` hides from terminals as
/// `\uXXXX`, and likewise an order to a runner that reads what is printed: to a reader of JSON the
/// same string, to a terminal harmless.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        // Nearly all text is of the plain kind.
        let plain = fragment.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if plain && !fragment.contains('#') {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((before, after)) = rest.split_once(ORDER_WITHIN) {
            written(writer, before, plain)?;
            writer.write_all(b"#\\u0023[")?;
            rest = after;
        }
        written(writer, rest, plain)
    }
}

fn written<W>(writer: &mut W, fragment: &str, plain: bool) -> io::Result<()>
where
    W: ?Sized + Write,
{
    let mut rest = fragment;
    while !plain && let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_in_pieces_is_one_document() {
        let mut bytes = Vec::new();
        #[derive(Serialize)]
        struct Head {
            schema: &'static str,
            tool: (u8, [u8; 2]),
        }
        #[derive(Serialize)]
        struct Trial {
            #[serde(flatten)]
            head: Head,
            empty: [u8; 0],
            numbers: [u8; 2],
            rows_of: [[u8; 2]; 2],
            object: std::collections::BTreeMap<u8, [u8; 2]>,
        }
        let members = Trial {
            head: Head {
                schema: "snapkey.trial/1",
                tool: (1, [2, 3]),
            },
            empty: [],
            numbers: [1, 2],
            rows_of: [[1, 2], [3, 4]],
            object: [(1, [1, 2]), (2, [3, 4])].into(),
        };
        let mut document = Document::begin(&members, &mut bytes).unwrap();
        document.member("name", &"x").unwrap();
        document.open_list("rows").unwrap();
        document.row(&"a").unwrap();
        document.close_list().unwrap();
        document.finish().unwrap();

        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(
            text,
            "{\"schema\":\"snapkey.trial/1\",\n\
             \"tool\":[\n1,\n[2,3]],\n\
             \"empty\":[],\n\
             \"numbers\":[\n1,\n2],\n\
             \"rows_of\":[\n[1,2],\n[3,4]],\n\
             \"object\":{\"1\":[1,2],\"2\":[3,4]},\n\
             \"name\":\"x\",\n\
             \"rows\":[\n\"a\"]}\n"
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
            "###[add-mask]x \u{1b}##[",
        ] {
            let mut bytes = Vec::new();
            let mut serializer = Serializer::with_formatter(&mut bytes, Escaping);
            hostile.serialize(&mut serializer).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.chars().any(is_unsafe), "{text}");
            assert!(!text.contains(ORDER_WITHIN), "{text}");
            let back: String = serde_json::from_str(&text).unwrap();
            assert_eq!(back, hostile);
        }
    }
}
