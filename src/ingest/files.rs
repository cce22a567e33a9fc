//! Files as this layer opens them: inside a bundle without following a link anywhere on the way,
//! and as sources that can be read twice, because what a document says of itself may come after
//! the rows that it speaks of.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use crate::model::Timestamp;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

/// Standard input up to this size stays in memory.
const SPOOL_ABOVE: u64 = 8 << 20;
/// As much of a source as is looked at to tell what it is.
pub(super) const HEAD: u64 = 64 << 10;

/// Opens a file that a bundle names; the error completes the sentence "the file …".
pub(super) fn open_inside(dir: &Path, name: &str) -> Result<File, String> {
    let relative = Path::new(name);
    let mut path = dir.to_path_buf();
    let mut components = relative
        .components()
        .filter(|component| *component != Component::CurDir)
        .peekable();
    if components.peek().is_none() {
        return Err("has no name".to_owned());
    }
    while let Some(component) = components.next() {
        let Component::Normal(part) = component else {
            return Err("lies outside the bundle".to_owned());
        };
        path.push(part);
        let meta = fs::symlink_metadata(&path).map_err(|error| {
            let kind = error.kind();
            if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
                "is missing".to_owned()
            } else {
                format!("could not be read: {error}")
            }
        })?;
        if meta.is_symlink() {
            return Err("is reached through a link".to_owned());
        }
        if components.peek().is_none() && !meta.is_file() {
            return Err("is no regular file".to_owned());
        }
    }
    File::open(&path).map_err(|error| format!("could not be read: {error}"))
}

/// The first 128 bits of a hash in hexadecimal.
pub(super) fn digest(hash: &[u8]) -> String {
    hash.iter().take(16).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A loose input that can be opened more than once.
pub(super) enum Source {
    File(PathBuf),
    Memory(Vec<u8>),
    Spool(NamedTempFile),
}

impl Source {
    /// Takes in a stream, on disk if it is large.
    pub(super) fn spool(stream: &mut dyn Read) -> io::Result<Self> {
        let mut memory = Vec::new();
        stream.take(SPOOL_ABOVE + 1).read_to_end(&mut memory)?;
        if memory.len() as u64 <= SPOOL_ABOVE {
            return Ok(Self::Memory(memory));
        }
        let mut file = NamedTempFile::new()?;
        io::copy(&mut memory.as_slice().chain(stream), &mut file)?;
        Ok(Self::Spool(file))
    }

    /// Opens it from `offset` on.
    pub(super) fn open(&self, offset: u64) -> io::Result<Box<dyn Read + '_>> {
        let from = |mut file: File| {
            file.seek(SeekFrom::Start(offset))?;
            Ok(Box::new(file) as Box<dyn Read>)
        };
        match self {
            Self::File(path) => from(File::open(path)?),
            Self::Spool(file) => from(file.reopen()?),
            Self::Memory(bytes) => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                Ok(Box::new(bytes.get(offset..).unwrap_or_default()))
            }
        }
    }

    /// Its first bytes.
    pub(super) fn head(&self) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        self.open(0)?.take(HEAD).read_to_end(&mut head)?;
        Ok(head)
    }

    /// When it was last changed; `None` where nobody knows.
    pub(super) fn modified(&self) -> Option<Timestamp> {
        match self {
            Self::File(path) => {
                let modified = fs::metadata(path).and_then(|meta| meta.modified()).ok()?;
                Some(Timestamp::from(DateTime::<Utc>::from(modified)))
            }
            Self::Memory(_) | Self::Spool(_) => None,
        }
    }

    /// A digest that is the same for the same content read at the same time. It tells runs apart
    /// and proves nothing, so the first bytes and the length do.
    pub(super) fn run(&self, at: Timestamp) -> io::Result<String> {
        let length = match self {
            Self::File(path) => fs::metadata(path)?.len(),
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Spool(file) => file.as_file().metadata()?.len(),
        };
        let mut hash = Sha256::new();
        hash.update(length.to_le_bytes());
        hash.update(at.unix().to_le_bytes());
        hash.update(self.head()?);
        Ok(digest(&hash.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_names_only_what_lies_inside_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("bundle");
        fs::create_dir_all(root.join("pages")).unwrap();
        fs::write(root.join("pages/1.json"), "{}").unwrap();
        fs::write(dir.path().join("outside.json"), "{}").unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(dir.path(), root.join("up")).unwrap();
            std::os::unix::fs::symlink("pages/1.json", root.join("link.json")).unwrap();
        }
        let outside = dir.path().join("outside.json");
        let table = [
            ("pages/1.json", None),
            ("./pages/1.json", None),
            ("", Some("no name")),
            (".", Some("no name")),
            ("pages", Some("no regular file")),
            ("pages/2.json", Some("missing")),
            ("pages/1.json/x", Some("missing")),
            ("../outside.json", Some("outside the bundle")),
            ("pages/../../outside.json", Some("outside the bundle")),
            (outside.to_str().unwrap(), Some("outside the bundle")),
            #[cfg(unix)]
            ("up/outside.json", Some("a link")),
            #[cfg(unix)]
            ("link.json", Some("a link")),
        ];
        for (name, why) in table {
            match (open_inside(&root, name), why) {
                (Ok(_), None) => {}
                (Err(found), Some(why)) => assert!(found.contains(why), "{name}: {found}"),
                (found, _) => panic!("{name}: {:?}", found.map(|_| ())),
            }
        }
    }

    #[test]
    fn a_source_opens_twice_wherever_it_lies() {
        let text = "0123456789".repeat(1_000_000);
        let large = Source::spool(&mut text.as_bytes()).unwrap();
        assert!(matches!(large, Source::Spool(_)));
        let small = Source::spool(&mut &b"0123456789"[..]).unwrap();
        assert!(matches!(small, Source::Memory(_)));
        for source in [large, small] {
            let mut first = source.open(0).unwrap();
            let mut second = source.open(3).unwrap();
            let mut byte = [0];
            first.read_exact(&mut byte).unwrap();
            assert_eq!(byte, *b"0");
            second.read_exact(&mut byte).unwrap();
            assert_eq!(byte, *b"3");
            first.read_exact(&mut byte).unwrap();
            assert_eq!(byte, *b"1");
        }
    }
}
