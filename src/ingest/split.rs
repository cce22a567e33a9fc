//! Cuts a stream of JSON into values and rows without building it: it finds where each one ends
//! and hands out its bytes. What a value says is read elsewhere; that it is well-formed is found
//! out there too. Memory is bounded by one value, whatever the size of the document.
//!
//! Rows of `results` and elements of a bare array come one by one, so that a damaged row costs
//! itself and not the document.

use std::io::{self, Read};

/// Longest value (a row, or a whole document that has no `results`) that is read, in bytes.
pub(super) const MAX_VALUE: usize = 8 << 20;
/// Deepest nesting that is read.
const MAX_DEPTH: usize = 120;
const CHUNK: usize = 64 << 10;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A top-level value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item<'b> {
    /// A whole value: an object without a `results` array, or a scalar.
    Value(&'b [u8]),
    /// The start of a bare array; its elements follow as rows.
    Array,
    /// An object up to its `results` array, whose elements follow as rows; then comes the tail.
    Page { head: &'b [u8] },
}

/// One element of an array or of `results`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Row<'b> {
    Json(&'b [u8]),
    /// Longer than [`MAX_VALUE`]; it was skipped.
    TooLong,
}

/// Why a stream could not be cut any further.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    #[error("could not be read: {0}")]
    Io(#[from] io::Error),
    #[error("the JSON is cut off at byte {0}")]
    Ended(u64),
    #[error("no JSON at byte {at}: expected {expected}")]
    Syntax { at: u64, expected: &'static str },
    #[error("a value is longer than 8 MiB at byte {0}")]
    TooLong(u64),
    #[error("nested deeper than 120 levels at byte {0}")]
    TooDeep(u64),
}

/// What to do with a value that outgrows [`MAX_VALUE`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Fail,
    Skip,
}

pub(super) struct Splitter<R> {
    input: R,
    buf: Vec<u8>,
    /// Bytes from here on are kept when the buffer is refilled.
    mark: usize,
    pos: usize,
    end: usize,
    /// Offset of `buf[0]` in the stream.
    base: u64,
    first_row: bool,
    in_page: bool,
    /// The member whose elements are rows, with its quotes.
    rows_of: &'static str,
}

impl<R: Read> Splitter<R> {
    /// Starts at a value; a byte order mark is skipped.
    pub(super) fn new(input: R) -> Result<Self, Cut> {
        Self::with_rows_of(input, "\"results\"")
    }

    /// The same for documents whose rows are in another member (quoted).
    pub(super) fn with_rows_of(input: R, rows_of: &'static str) -> Result<Self, Cut> {
        let mut splitter = Self {
            input,
            buf: vec![0; CHUNK],
            mark: 0,
            pos: 0,
            end: 0,
            base: 0,
            first_row: true,
            in_page: false,
            rows_of,
        };
        while splitter.end < BOM.len() && splitter.fill()? {}
        if splitter.buf[..splitter.end].starts_with(BOM) {
            splitter.pos = BOM.len();
        }
        Ok(splitter)
    }

    /// Where the next byte lies in the stream.
    pub(super) fn offset(&self) -> u64 {
        self.base.saturating_add(self.pos as u64)
    }

    /// The next top-level value; `None` at the end.
    pub(super) fn next_item(&mut self) -> Result<Option<Item<'_>>, Cut> {
        let Some(byte) = self.skip_space()? else {
            return Ok(None);
        };
        self.mark = self.pos;
        match byte {
            b'[' => {
                self.pos += 1;
                self.first_row = true;
                self.in_page = false;
                Ok(Some(Item::Array))
            }
            b'{' => self.object().map(Some),
            _ => {
                self.value(Overflow::Fail)?;
                Ok(Some(Item::Value(&self.buf[self.mark..self.pos])))
            }
        }
    }

    /// The next row of the array or page that [`Self::next_item`] opened; `None` after the last.
    pub(super) fn next_row(&mut self) -> Result<Option<Row<'_>>, Cut> {
        self.mark = self.pos;
        let mut byte = self.skip_space_or_end()?;
        if byte == b']' {
            self.pos += 1;
            return Ok(None);
        }
        if !self.first_row {
            if byte != b',' {
                return Err(self.syntax("`,` or `]`"));
            }
            self.pos += 1;
            byte = self.skip_space_or_end()?;
        }
        if matches!(byte, b',' | b']' | b'}' | b':') {
            return Err(self.syntax("a value"));
        }
        self.first_row = false;
        self.mark = self.pos;
        if self.value(Overflow::Skip)? {
            Ok(Some(Row::Json(&self.buf[self.mark..self.pos])))
        } else {
            Ok(Some(Row::TooLong))
        }
    }

    /// What follows `results` in the page: from its comma to the closing brace. Empty after a
    /// bare array.
    pub(super) fn tail(&mut self) -> Result<&[u8], Cut> {
        self.mark = self.pos;
        if self.in_page {
            self.in_page = false;
            loop {
                match self.skip_space_or_end()? {
                    b'}' => {
                        self.pos += 1;
                        break;
                    }
                    b',' => self.pos += 1,
                    _ => return Err(self.syntax("`,` or `}`")),
                }
                self.skip_space_or_end()?;
                self.member_name()?;
                self.value(Overflow::Fail)?;
            }
        }
        Ok(&self.buf[self.mark..self.pos])
    }

    /// After a damaged value: goes on at the next line that starts with a brace, which is where
    /// the next record of NDJSON or of concatenated documents starts. False if there is none.
    pub(super) fn resync(&mut self) -> Result<bool, Cut> {
        self.pos = self.mark;
        loop {
            let kept = &self.buf[self.pos..self.end];
            if let Some(found) = kept.windows(2).position(|pair| pair == b"\n{") {
                self.pos += found + 1;
                self.mark = self.pos;
                return Ok(true);
            }
            // The last byte may be the first of the pair.
            self.pos = self.pos.max(self.end.saturating_sub(1));
            self.mark = self.pos;
            if !self.fill()? {
                self.pos = self.end;
                return Ok(false);
            }
        }
    }

    fn object(&mut self) -> Result<Item<'_>, Cut> {
        self.pos += 1;
        let mut first = true;
        loop {
            let byte = self.skip_space_or_end()?;
            if byte == b'}' {
                self.pos += 1;
                return Ok(Item::Value(&self.buf[self.mark..self.pos]));
            }
            if !first {
                if byte != b',' {
                    return Err(self.syntax("`,` or `}`"));
                }
                self.pos += 1;
                self.skip_space_or_end()?;
            }
            first = false;
            // Kept relative to the mark, because refilling moves the buffer.
            let name_at = self.pos - self.mark;
            let name_len = self.member_name()?;
            let byte = self.skip_space_or_end()?;
            let name = &self.buf[self.mark + name_at..self.mark + name_at + name_len];
            if byte == b'[' && name == self.rows_of.as_bytes() {
                self.pos += 1;
                self.first_row = true;
                self.in_page = true;
                return Ok(Item::Page {
                    head: &self.buf[self.mark..self.mark + name_at],
                });
            }
            self.value(Overflow::Fail)?;
        }
    }

    /// Skips a member's name and colon; gives the length of the name with its quotes.
    fn member_name(&mut self) -> Result<usize, Cut> {
        if self.skip_space_or_end()? != b'"' {
            return Err(self.syntax("a member name"));
        }
        let from = self.pos - self.mark;
        self.value(Overflow::Fail)?;
        let len = self.pos - self.mark - from;
        if self.skip_space_or_end()? != b':' {
            return Err(self.syntax("`:`"));
        }
        self.pos += 1;
        Ok(len)
    }

    /// Skips one value, keeping its bytes from the mark on. False if it was too long to keep.
    fn value(&mut self, overflow: Overflow) -> Result<bool, Cut> {
        let mut kept = true;
        match self.skip_space_or_end()? {
            b'{' | b'[' => {}
            b'"' => {
                self.pos += 1;
                self.string(overflow, &mut kept)?;
                return Ok(kept);
            }
            _ => return self.scalar(),
        }
        let mut depth = 0_usize;
        loop {
            let chunk = &self.buf[self.pos..self.end];
            let Some(step) = chunk.iter().position(|&byte| STRUCTURE[usize::from(byte)]) else {
                self.pos = self.end;
                self.more(overflow, &mut kept)?;
                continue;
            };
            let byte = chunk[step];
            self.pos += step + 1;
            match byte {
                b'"' => self.string(overflow, &mut kept)?,
                b'{' | b'[' => {
                    depth += 1;
                    if depth > MAX_DEPTH {
                        return Err(Cut::TooDeep(self.offset()));
                    }
                }
                _ => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(kept);
                    }
                }
            }
        }
    }

    /// Skips a string from behind its opening quote. A raw control character is left for the
    /// reader of the value to find.
    fn string(&mut self, overflow: Overflow, kept: &mut bool) -> Result<(), Cut> {
        loop {
            let Some(step) = quote_or_escape(&self.buf[self.pos..self.end]) else {
                self.pos = self.end;
                self.more(overflow, kept)?;
                continue;
            };
            let escape = self.buf[self.pos + step] == b'\\';
            self.pos += step + 1;
            if !escape {
                return Ok(());
            }
            if self.pos == self.end {
                self.more(overflow, kept)?;
            }
            self.pos += 1;
        }
    }

    /// Skips a number or a word; always short, so it always fits.
    fn scalar(&mut self) -> Result<bool, Cut> {
        let mut length = 0_usize;
        loop {
            if self.pos == self.end && !self.fill()? {
                break;
            }
            let byte = self.buf[self.pos];
            if matches!(byte, b',' | b']' | b'}' | b':' | b'{' | b'[' | b'"') || byte <= b' ' {
                break;
            }
            self.pos += 1;
            length += 1;
            if length > CHUNK {
                return Err(Cut::TooLong(self.offset()));
            }
        }
        if length == 0 {
            return Err(self.syntax("a value"));
        }
        Ok(true)
    }

    /// Refills inside a value.
    fn more(&mut self, overflow: Overflow, kept: &mut bool) -> Result<(), Cut> {
        if self.end - self.mark >= MAX_VALUE {
            match overflow {
                Overflow::Fail => return Err(Cut::TooLong(self.offset())),
                Overflow::Skip => {
                    *kept = false;
                    self.mark = self.end;
                }
            }
        }
        if !*kept {
            self.mark = self.end;
        }
        if self.fill()? {
            Ok(())
        } else {
            Err(Cut::Ended(self.offset()))
        }
    }

    /// The next byte that is no space; `None` at the end of the stream.
    fn skip_space(&mut self) -> Result<Option<u8>, Cut> {
        loop {
            if self.pos == self.end {
                // Between top-level values nothing is worth keeping.
                self.mark = self.pos;
                if !self.fill()? {
                    return Ok(None);
                }
            }
            let byte = self.buf[self.pos];
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(Some(byte));
            }
            self.pos += 1;
        }
    }

    /// The next byte that is no space, inside a document.
    fn skip_space_or_end(&mut self) -> Result<u8, Cut> {
        loop {
            if self.pos == self.end {
                let mut kept = true;
                self.more(Overflow::Fail, &mut kept)?;
            }
            let byte = self.buf[self.pos];
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(byte);
            }
            self.pos += 1;
        }
    }

    /// Reads on, keeping everything from the mark; false at the end of the stream.
    fn fill(&mut self) -> Result<bool, Cut> {
        if self.mark > 0 {
            self.buf.copy_within(self.mark..self.end, 0);
            self.base = self.base.saturating_add(self.mark as u64);
            self.pos -= self.mark;
            self.end -= self.mark;
            self.mark = 0;
        }
        if self.end == self.buf.len() {
            let grown = self.buf.len() * 2;
            self.buf.resize(grown, 0);
        }
        loop {
            match self.input.read(&mut self.buf[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.end += count;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Cut::Io(error)),
            }
        }
    }

    fn syntax(&self, expected: &'static str) -> Cut {
        Cut::Syntax {
            at: self.offset(),
            expected,
        }
    }
}

/// The bytes that matter outside strings.
const STRUCTURE: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    let bytes = b"\"{}[]";
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
};

/// The first quote or backslash, eight bytes at a time: most of an answer is inside strings.
fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const ESCAPES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    // The lowest high bit that is left marks the first zero byte; those above it may lie.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (eights, rest) = bytes.as_chunks::<8>();
    for (index, eight) in eights.iter().enumerate() {
        let word = u64::from_le_bytes(*eight);
        let marks = zeros(word ^ QUOTES) | zeros(word ^ ESCAPES);
        if marks != 0 {
            return Some(index * 8 + (marks.trailing_zeros() / 8) as usize);
        }
    }
    let found = rest.iter().position(is_quote_or_escape)?;
    Some(eights.len() * 8 + found)
}

const fn is_quote_or_escape(byte: &u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One byte at a time: every refill point is tried.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else {
                return Ok(0);
            };
            into[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// Everything in one line: values `V:`, pages `P:`, rows `R:`, tails `T:`, errors `E`.
    fn trace(input: impl Read) -> String {
        let mut out = Vec::new();
        let mut splitter = Splitter::new(input).unwrap();
        loop {
            let opened = match splitter.next_item() {
                Ok(None) => break,
                Ok(Some(Item::Value(bytes))) => {
                    out.push(format!("V:{}", text(bytes)));
                    false
                }
                Ok(Some(Item::Array)) => {
                    out.push("A".to_owned());
                    true
                }
                Ok(Some(Item::Page { head })) => {
                    out.push(format!("P:{}", text(head)));
                    true
                }
                Err(_) => {
                    out.push("E".to_owned());
                    if splitter.resync().unwrap() {
                        continue;
                    }
                    break;
                }
            };
            if !opened {
                continue;
            }
            let mut failed = false;
            loop {
                match splitter.next_row() {
                    Ok(Some(Row::Json(bytes))) => out.push(format!("R:{}", text(bytes))),
                    Ok(Some(Row::TooLong)) => out.push("L".to_owned()),
                    Ok(None) => break,
                    Err(_) => {
                        failed = true;
                        break;
                    }
                }
            }
            if !failed {
                match splitter.tail() {
                    Ok(b"") => {}
                    Ok(bytes) => out.push(format!("T:{}", text(bytes))),
                    Err(_) => failed = true,
                }
            }
            if failed {
                out.push("E".to_owned());
                if !splitter.resync().unwrap() {
                    break;
                }
            }
        }
        out.join(" ")
    }

    #[test]
    fn cuts_every_shape() {
        let table = [
            ("", ""),
            ("  \r\n ", ""),
            ("\u{feff}{}", "V:{}"),
            (r#"{"a":1}"#, r#"V:{"a":1}"#),
            (r#"{"a":1}{"b":[2,{}]}"#, r#"V:{"a":1} V:{"b":[2,{}]}"#),
            ("{\"a\":1}\r\n{\"b\":2}\r\n", r#"V:{"a":1} V:{"b":2}"#),
            (r#"[{"a":"}]\""},2,[3]]"#, r#"A R:{"a":"}]\""} R:2 R:[3]"#),
            ("[]", "A"),
            (
                r#"{"links":[],"results":[{"a":1},{"b":2}],"totalCount":2}"#,
                r#"P:{"links":[], R:{"a":1} R:{"b":2} T:,"totalCount":2}"#,
            ),
            (r#"{"results":[]}"#, "P:{ T:}"),
            (r#"{"results":{"a":[1]}}"#, r#"V:{"results":{"a":[1]}}"#),
            (
                r#"{"a":{"results":[1]},"results":[2]}"#,
                r#"P:{"a":{"results":[1]}, R:2 T:}"#,
            ),
            ("12 true\n\"x\"", "V:12 V:true V:\"x\""),
        ];
        for (input, expected) in table {
            assert_eq!(trace(input.as_bytes()), expected, "{input}");
            assert_eq!(trace(Trickle(input.as_bytes())), expected, "{input}");
        }
    }

    #[test]
    fn damage_costs_as_little_as_it_can() {
        let table = [
            // A cut document keeps its rows.
            (r#"{"results":[{"a":1},{"b"#, r#"P:{ R:{"a":1} E"#),
            (r#"{"results":[{"a":1}]"#, r#"P:{ R:{"a":1} E"#),
            (r#"[{"a":1},]"#, r#"A R:{"a":1} E"#),
            (r#"[{"a":1} {"b":2}]"#, r#"A R:{"a":1} E"#),
            (r#"{"a""#, "E"),
            (r#"{a:1}"#, "E"),
            (r#"{"a":1"#, "E"),
            // One broken line of NDJSON costs that line.
            (
                "{\"a\":1}\n{\"b\":\n{\"c\":3}\n",
                r#"V:{"a":1} E V:{"c":3}"#,
            ),
            ("{\"a\":\"x\n{\"c\":3}\n", r#"E V:{"c":3}"#),
            ("{\"a\":1\n{\"c\":3}\n", r#"E V:{"c":3}"#),
            ("{\"results\":[{\"a\"\n{\"c\":3}\n", r#"P:{ E V:{"c":3}"#),
        ];
        for (input, expected) in table {
            assert_eq!(trace(input.as_bytes()), expected, "{input}");
            assert_eq!(trace(Trickle(input.as_bytes())), expected, "{input}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let deep = format!("[{}]", "[".repeat(1_000_000));
        assert_eq!(trace(deep.as_bytes()), "A E");
        let long = format!(
            r#"[{{"id":"{}"}},{{"id":"b"}}]"#,
            "x".repeat(MAX_VALUE + CHUNK)
        );
        assert_eq!(trace(long.as_bytes()), r#"A L R:{"id":"b"}"#);
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(MAX_VALUE * 2));
        assert_eq!(trace(long.as_bytes()), "E");
    }
}
