//! From bytes to UTF-8 that may be JSON: what a file is by its first bytes, how large it may be,
//! and what a failure of the JSON reader means to the one who gave the file.

use std::io::{self, BufReader, Chain, Cursor, Read};

use serde_json::error::Category;

use super::PlanError;

/// The text behind a byte-order mark, if there is one. Reading more than `limit` bytes of it fails
/// with [`io::ErrorKind::FileTooLarge`].
pub(super) fn utf8<R: Read>(mut bytes: R, name: &str, limit: u64) -> Result<impl Read, PlanError> {
    let owned = || name.to_owned();
    let mut head = Vec::with_capacity(4);
    bytes
        .by_ref()
        .take(4)
        .read_to_end(&mut head)
        .map_err(|source| PlanError::Io {
            name: owned(),
            source,
        })?;
    match head.as_slice() {
        [] => return Err(PlanError::Empty { name: owned() }),
        // A plan file is a zip archive.
        [b'P', b'K', ..] => return Err(PlanError::Binary { name: owned() }),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [1..=0x7f, 0, ..] | [0, 1..=0x7f, ..] => {
            return Err(PlanError::Utf16 { name: owned() });
        }
        [0xef, 0xbb, 0xbf, ..] => {
            head.drain(..3);
        }
        [..] => {}
    }
    Ok(BufReader::with_capacity(
        64 << 10,
        Bounded {
            bytes: Cursor::new(head).chain(bytes),
            left: limit,
        },
    ))
}

struct Bounded<R> {
    bytes: Chain<Cursor<Vec<u8>>, R>,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.left = u64::try_from(read)
            .ok()
            .and_then(|read| self.left.checked_sub(read))
            .ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}

/// Says why JSON could not be read. Texts of the reader are passed on only where they cannot quote
/// the file, which holds secrets.
pub(super) fn explain(error: serde_json::Error, name: &str, limit: u64) -> PlanError {
    let name = name.to_owned();
    match error.classify() {
        Category::Io => {
            let source = io::Error::from(error);
            if source.kind() == io::ErrorKind::FileTooLarge {
                PlanError::TooLarge {
                    name,
                    mib: limit >> 20,
                }
            } else {
                PlanError::Io { name, source }
            }
        }
        Category::Eof => PlanError::Truncated {
            name,
            line: error.line(),
            column: error.column(),
        },
        Category::Syntax => PlanError::Json {
            name,
            why: error.to_string(),
        },
        Category::Data => PlanError::Json {
            name,
            why: format!(
                "line {}, column {} is not what a plan has there, or has it twice",
                error.line(),
                error.column()
            ),
        },
    }
}
