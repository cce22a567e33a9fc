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
/// As much of a stream as is read at once.
const CHUNK: usize = 64 << 10;
/// As much as is read first: most answers are short, and a buffer for the others costs more than
/// reading them.
const FIRST_CHUNK: usize = 4 << 10;
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

/// Bytes that are handed out as the start of a row before any row was seen.
const FIRST_LOOK: usize = 4 << 10;

pub(super) struct Splitter<R> {
    input: R,
    buf: Vec<u8>,
    /// Bytes from here on are kept when the buffer is refilled.
    mark: usize,
    pos: usize,
    end: usize,
    /// The stream filled the buffer when it was last read.
    full: bool,
    /// Offset of `buf[0]` in the stream.
    base: u64,
    first_row: bool,
    in_page: bool,
    /// How much of a row to show ahead: rows of a list are of much the same length.
    look: usize,
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
            buf: vec![0; FIRST_CHUNK],
            mark: 0,
            pos: 0,
            end: 0,
            full: false,
            base: 0,
            first_row: true,
            in_page: false,
            look: FIRST_LOOK,
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
        if self.at_row()? {
            self.cut_row().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Goes to the start of the next row; false after the last.
    pub(super) fn at_row(&mut self) -> Result<bool, Cut> {
        self.mark = self.pos;
        let mut byte = self.skip_space_or_end()?;
        if byte == b']' {
            self.pos += 1;
            return Ok(false);
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
        Ok(true)
    }

    /// Bytes from the start of the row on, most likely all of it and some of what follows. Whoever
    /// can tell from them where a sound row ends spares it being looked through for its end:
    /// [`Self::pass`] goes there, else [`Self::cut_row`] does.
    pub(super) fn ahead(&mut self) -> Result<&[u8], Cut> {
        if self.end - self.pos < self.look {
            self.fill()?;
        }
        let until = self.end.min(self.pos.saturating_add(self.look));
        Ok(&self.buf[self.pos..until])
    }

    /// Leaves a row of so many bytes behind.
    pub(super) fn pass(&mut self, length: usize) {
        self.pos = self.end.min(self.pos.saturating_add(length));
        self.look = look_for(length);
    }

    /// Hands out the row and leaves it behind.
    pub(super) fn cut_row(&mut self) -> Result<Row<'_>, Cut> {
        if self.value(Overflow::Skip)? {
            self.look = look_for(self.pos - self.mark);
            Ok(Row::Json(&self.buf[self.mark..self.pos]))
        } else {
            Ok(Row::TooLong)
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
        } else if self.full && self.buf.len() < CHUNK {
            self.buf.resize(CHUNK, 0);
        }
        loop {
            match self.input.read(&mut self.buf[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.end += count;
                    self.full = self.end == self.buf.len();
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

/// Twice the row before: enough for nearly all, and little to look at in vain.
fn look_for(length: usize) -> usize {
    length.saturating_mul(2).clamp(1 << 10, CHUNK / 2)
}

/// Whether a value is so short of brackets that it cannot be nested deeper than is read. Brackets
/// in strings count too: one that has so many is for a closer look.
pub(super) fn is_shallow(value: &[u8]) -> bool {
    // Few enough at a time to be counted in bytes.
    let opening = value.chunks(128).map(|bytes| {
        let count: u8 = bytes
            .iter()
            .map(|byte| u8::from(matches!(byte, b'{' | b'[')))
            .sum();
        usize::from(count)
    });
    opening.sum::<usize>() <= MAX_DEPTH
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

    #[test]
    fn a_row_that_is_read_ahead_is_the_row_that_would_be_cut() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(CHUNK));
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(130), "]".repeat(130));
        let rows = [
            r#"{"a":1}"#,
            r#"{ "b" : "}]\"" }"#,
            "7",
            &long,
            "[{}]",
            "{}",
            &deep,
            r#"{"c":3}"#,
        ];
        for count in 0..=rows.len() {
            let document = format!("{{\"results\" : [ {} ] }}", rows[..count].join(" , "));
            let reads: [Box<dyn Read + '_>; 2] = [
                Box::new(document.as_bytes()),
                Box::new(Trickle(document.as_bytes())),
            ];
            for input in reads {
                let mut splitter = Splitter::new(input).unwrap();
                splitter.next_item().unwrap();
                let mut seen = Vec::new();
                let ended = loop {
                    match splitter.at_row() {
                        Ok(true) => {}
                        Ok(false) => break Ok(()),
                        Err(cut) => break Err(cut),
                    }
                    let ahead = splitter.ahead().unwrap();
                    let mut read = serde_json::Deserializer::from_slice(ahead)
                        .into_iter::<serde::de::IgnoredAny>();
                    let is_object = ahead.first() == Some(&b'{');
                    if is_object && read.next().is_some_and(|read| read.is_ok()) {
                        let length = read.byte_offset();
                        if is_shallow(&ahead[..length]) {
                            seen.push(text(&ahead[..length]));
                            splitter.pass(length);
                            continue;
                        }
                    }
                    match splitter.cut_row() {
                        Ok(Row::Json(row)) => seen.push(text(row)),
                        Ok(Row::TooLong) => seen.push("L".to_owned()),
                        Err(cut) => break Err(cut),
                    }
                };
                let sound = count.min(rows.len() - 2);
                assert_eq!(seen, rows[..sound], "{count}");
                match ended {
                    Ok(()) => assert_eq!(splitter.tail().unwrap(), b" }"),
                    Err(cut) => assert!(matches!(cut, Cut::TooDeep(_)) && count > sound, "{cut}"),
                }
            }
        }
    }

    #[test]
    fn a_value_is_shallow_only_if_it_has_few_brackets() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_shallow(nested(MAX_DEPTH).as_bytes()));
        assert!(!is_shallow(nested(MAX_DEPTH + 1).as_bytes()));
        assert!(!is_shallow("{".repeat(128 * 256).as_bytes()));
        let apart = "[]x".repeat(MAX_DEPTH + 1);
        assert!(!is_shallow(apart.as_bytes()));
    }
}
