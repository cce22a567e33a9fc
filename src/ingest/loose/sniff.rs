//! What a loose input is at first sight, and where its content starts: behind a byte order mark,
//! behind the header of a recorded HTTP message.

use std::io::{self, Read};

/// Longest line of CSV that is read, in bytes.
const MAX_LINE: usize = 8 << 20;

/// The form of an input; `skip` bytes stand before its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json {
        skip: u64,
    },
    Csv {
        skip: u64,
    },
    /// Nothing that is read, and why.
    Nothing(&'static str),
}

/// Looks at the first bytes of an input.
pub(super) fn sniff(head: &[u8], file: &str) -> Form {
    let (content, skip) = match head.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (rest, 3),
        None => (head, 0),
    };
    if content.starts_with(b"\xff\xfe") || content.starts_with(b"\xfe\xff") {
        return Form::Nothing("is UTF-16: write it as UTF-8");
    }
    if content.starts_with(b"\x1f\x8b") {
        return Form::Nothing("is compressed: unpack it first");
    }
    if content.starts_with(b"HTTP/") {
        let Some(body) = body_at(content) else {
            return Form::Nothing("is a recorded HTTP message without a body");
        };
        return match sniff(&content[body..], file) {
            Form::Json { skip: more } => Form::Json {
                skip: skip + more + body as u64,
            },
            Form::Csv { .. } => Form::Nothing("is a recorded HTTP message without JSON"),
            Form::Nothing("is empty") => Form::Nothing("is a recorded HTTP message without a body"),
            nothing @ Form::Nothing(_) => nothing,
        };
    }
    match content.trim_ascii_start().first() {
        None => return Form::Nothing("is empty"),
        Some(b'{' | b'[') => return Form::Json { skip },
        Some(_) => {}
    }
    let line = content
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let names: Vec<&[u8]> = line
        .split(|&byte| byte == b',')
        .map(|name| name.trim_ascii())
        .map(|name| name.strip_prefix(b"\"").unwrap_or(name))
        .map(|name| name.strip_suffix(b"\"").unwrap_or(name))
        .collect();
    let has = |name: &[u8]| names.contains(&name);
    if has(b"kind") || (has(b"key") && has(b"condition")) {
        return Form::Csv { skip };
    }
    if file.to_ascii_lowercase().ends_with(".csv") {
        return Form::Nothing(
            "has a CSV header with neither `kind` (an inventory) nor `key` and `condition` \
             (key answers)",
        );
    }
    Form::Nothing(
        "is neither JSON nor snapkey's CSV: if it is the table that a command printed, have it \
         print JSON (`-o json`)",
    )
}

/// Where the body of an HTTP message starts.
fn body_at(message: &[u8]) -> Option<usize> {
    let crlf = message.windows(4).position(|four| four == b"\r\n\r\n");
    let lf = message.windows(2).position(|two| two == b"\n\n");
    match (crlf.map(|at| at + 4), lf.map(|at| at + 2)) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Fails on a line that is longer than any record has a right to be.
pub(super) struct LineLimit<R> {
    input: R,
    line: usize,
}

impl<R> LineLimit<R> {
    pub(super) const fn new(input: R) -> Self {
        Self { input, line: 0 }
    }
}

impl<R: Read> Read for LineLimit<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        let read = &into[..count];
        match read.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => self.line = count - last,
            None => self.line += count,
        }
        if self.line > MAX_LINE {
            return Err(io::Error::other("a line is longer than 8 MiB"));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_known_at_first_sight() {
        let table: [(&[u8], Option<Form>); 14] = [
            (b" \n{\"a\":1}", Some(Form::Json { skip: 0 })),
            (b"\xef\xbb\xbf[1]", Some(Form::Json { skip: 3 })),
            (
                b"HTTP/2.0 200 OK\r\nDate: x\r\n\r\n{}",
                Some(Form::Json { skip: 28 }),
            ),
            (
                b"HTTP/1.1 404 Not Found\nA: b\n\n{}",
                Some(Form::Json { skip: 29 }),
            ),
            (b"kind,project,id\n", Some(Form::Csv { skip: 0 })),
            (
                b"\xef\xbb\xbf\"key\", condition ,at\r\n",
                Some(Form::Csv { skip: 3 }),
            ),
            (b"HTTP/1.1 204 No Content\r\n\r\n", None),
            (b"HTTP/1.1 204 No Content", None),
            (b"ID    SNAPSHOT TYPE   EXPIRES AT\n", None),
            (b"key,at\n", None),
            (b"", None),
            (b" \r\n", None),
            (b"\xff\xfe{\0", None),
            (b"\x1f\x8b\x08", None),
        ];
        for (head, expected) in table {
            let found = sniff(head, "x");
            match expected {
                Some(form) => assert_eq!(found, form),
                None => assert!(matches!(found, Form::Nothing(_)), "{found:?}"),
            }
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut limit = LineLimit::new(io::repeat(b'x'));
        assert!(io::copy(&mut limit, &mut io::sink()).is_err());
        let lines = b"x\n".repeat(10 << 20);
        let mut limit = LineLimit::new(lines.as_slice());
        assert!(io::copy(&mut limit, &mut io::sink()).is_ok());
    }
}
