//! The folder that a bundle is written to. Nobody but its owner may look into it, a page is there
//! wholly or not at all, and the folder is no bundle that shows anything until it is finished:
//!
//! ```text
//! manifest.json     names no request and says `unfinished` until the very end
//! collect.journal   what was asked and answered so far; gone when nothing is left to ask
//! pages/0001.json   one answer each, without secrets
//! ```

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::journal::{self, Entry, Header, Kept, Line, Told};
use super::{CollectError, Plan};
use crate::model::Timestamp;

const MANIFEST: &str = "manifest.json";
/// Not an ending that a folder is searched for: an unfinished bundle is not walked into it.
const JOURNAL: &str = "collect.journal";
const PAGES: &str = "pages";

/// A bundle that is being written.
#[derive(Debug)]
pub(super) struct Bundle {
    dir: PathBuf,
    header: Header,
    journal: RefCell<File>,
    next_page: Cell<u64>,
}

/// What opening a folder comes to.
pub(super) enum Opened {
    /// Requests may be made.
    Ready(Box<Ready>),
    /// It holds a finished bundle, begun at this time, in which nothing is left to ask.
    Finished(Timestamp),
}

pub(super) struct Ready {
    pub(super) bundle: Bundle,
    /// When the run began that the oldest answer may be of.
    pub(super) started_at: Timestamp,
    pub(super) kept: Kept,
}

impl Bundle {
    /// Makes the folder, or goes on with the one that a stopped run left.
    pub(super) fn open(out: &Path, plan: &Plan<'_>) -> Result<Opened, CollectError> {
        let now = (plan.clock)();
        let header = Header::of(plan, now);
        let found = match fs::read_dir(out) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_folder(out).map_err(|source| cannot_write(out, source))?;
                false
            }
            Err(source) => return Err(cannot_write(out, source)),
        };
        if found {
            return if plan.resume {
                Self::resume(out, header, now)
            } else {
                Err(CollectError::Occupied { out: out.into() })
            };
        }
        make_private(out).map_err(|source| cannot_write(out, source))?;
        let path = out.join(JOURNAL);
        let journal = options()
            .create_new(true)
            .append(true)
            .open(&path)
            .map_err(|source| cannot_write(&path, source))?;
        Self::begin_in(out, header, journal)?.fresh(now)
    }

    /// Nothing was asked yet.
    fn fresh(self, started_at: Timestamp) -> Result<Opened, CollectError> {
        self.note(&Line::Header(self.header.clone()))?;
        Ok(Opened::Ready(Box::new(Ready {
            bundle: self,
            started_at,
            kept: Kept::default(),
        })))
    }

    fn begin_in(out: &Path, header: Header, journal: File) -> Result<Self, CollectError> {
        // Where a file system knows no locks, nobody is kept out.
        if let Err(fs::TryLockError::WouldBlock) = journal.try_lock() {
            return Err(CollectError::Busy { out: out.into() });
        }
        Ok(Self {
            dir: out.into(),
            header,
            journal: RefCell::new(journal),
            next_page: Cell::new(1),
        })
    }

    /// Goes on in a folder that is not empty.
    fn resume(out: &Path, wanted: Header, now: Timestamp) -> Result<Opened, CollectError> {
        let path = out.join(JOURNAL);
        let opened = options().read(true).append(true).open(&path);
        let journal = match opened {
            Ok(journal) => journal,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return finished(out, &wanted),
            Err(source) => return Err(cannot_read(&path, source)),
        };
        let mut bundle = Self::begin_in(out, wanted, journal)?;
        let told = bundle.read_journal()?;
        let Some(header) = told.header else {
            return if told.length == 0 {
                bundle.cut_journal(0)?;
                bundle.fresh(now)
            } else {
                let damaged = io::Error::other("it does not say what it is of");
                Err(cannot_read(&path, damaged))
            };
        };
        if let Some(difference) = bundle.header.difference(&header) {
            return Err(CollectError::Other {
                out: out.into(),
                difference,
            });
        }
        let started_at = Timestamp::floor(&header.started_at)
            .map_err(|error| cannot_read(&path, io::Error::other(error)))?;
        bundle.header = header;
        bundle.cut_journal(told.length)?;
        make_private(out).map_err(|source| cannot_write(out, source))?;
        let kept = told.kept.since(started_at);
        bundle.clear_pages(&kept.files())?;
        Ok(Opened::Ready(Box::new(Ready {
            bundle,
            started_at,
            kept,
        })))
    }

    /// What the journal says.
    fn read_journal(&self) -> Result<Told, CollectError> {
        let path = self.dir.join(JOURNAL);
        let mut file = self.journal.borrow_mut();
        file.seek(SeekFrom::Start(0))
            .map_err(|source| cannot_read(&path, source))?;
        let told = journal::read(BufReader::new(&mut *file));
        told.map_err(|source| cannot_read(&path, source))
    }

    /// What a killed run left of a line is cut off.
    fn cut_journal(&self, length: u64) -> Result<(), CollectError> {
        let cut = self.journal.borrow().set_len(length);
        cut.map_err(|source| cannot_write(&self.dir.join(JOURNAL), source))
    }

    /// Removes pages that no kept list names, and numbers on behind the others.
    fn clear_pages(&self, named: &BTreeSet<&str>) -> Result<(), CollectError> {
        let folder = self.dir.join(PAGES);
        let listed = match fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(cannot_read(&folder, source)),
        };
        for entry in listed {
            let entry = entry.map_err(|source| cannot_read(&folder, source))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !named.contains(format!("{PAGES}/{name}").as_str()) {
                fs::remove_file(entry.path())
                    .map_err(|source| cannot_write(&entry.path(), source))?;
            } else if let Some(number) = name.strip_suffix(".json").and_then(|n| n.parse().ok()) {
                let next = self.next_page.get();
                self.next_page.set(next.max(u64::saturating_add(number, 1)));
            }
        }
        Ok(())
    }

    /// Makes what is not there yet, and says that the bundle is not finished.
    pub(super) fn prepare(&self) -> Result<(), CollectError> {
        let pages = self.dir.join(PAGES);
        make_folder(&pages).map_err(|source| cannot_write(&pages, source))?;
        self.manifest(&[], None)
    }

    pub(super) fn begin(&self, list: &str) -> Result<(), CollectError> {
        self.note(&Line::Begin(list.to_owned()))
    }

    pub(super) fn done(&self, list: &str) -> Result<(), CollectError> {
        self.note(&Line::Done(list.to_owned()))
    }

    pub(super) fn answer(&self, entry: &Entry) -> Result<(), CollectError> {
        self.note(&Line::Answer(entry.clone()))
    }

    fn note(&self, line: &Line) -> Result<(), CollectError> {
        let path = self.dir.join(JOURNAL);
        let failed = |source| cannot_write(&path, source);
        let mut bytes = serde_json::to_vec(line).map_err(|error| failed(error.into()))?;
        bytes.push(b'\n');
        self.journal.borrow_mut().write_all(&bytes).map_err(failed)
    }

    /// Writes an answer, and gives its name in the bundle.
    pub(super) fn page(&self, body: &[u8]) -> Result<String, CollectError> {
        let number = self.next_page.get();
        self.next_page.set(number.saturating_add(1));
        let name = format!("{PAGES}/{number:04}.json");
        let path = self.dir.join(&name);
        write_whole(
            &path,
            &self.dir.join(PAGES),
            |file| file.write_all(body),
            false,
        )
        .map_err(|source| cannot_write(&path, source))?;
        Ok(name)
    }

    /// Reads an answer back.
    pub(super) fn read_page(&self, name: &str) -> io::Result<Vec<u8>> {
        // Only what was written here: a name leads nowhere else.
        match name
            .strip_prefix(PAGES)
            .and_then(|name| name.strip_prefix('/'))
        {
            Some(file) if !file.contains(['/', '\\']) && file != ".." => {
                fs::read(self.dir.join(PAGES).join(file))
            }
            Some(_) | None => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Names every request, so that the folder is a bundle. The journal stays where asking again
    /// may close a gap.
    pub(super) fn finish(
        &self,
        entries: &[Vec<Entry>],
        at: Timestamp,
        closed: bool,
    ) -> Result<(), CollectError> {
        // What a list that was asked for again showed before is named no more.
        let files = entries
            .iter()
            .flatten()
            .filter_map(|entry| entry.file.as_deref());
        self.clear_pages(&files.collect())?;
        self.manifest(entries, Some(at))?;
        if closed {
            let path = self.dir.join(JOURNAL);
            fs::remove_file(&path).map_err(|source| cannot_write(&path, source))?;
        }
        Ok(())
    }

    fn manifest(
        &self,
        entries: &[Vec<Entry>],
        finished_at: Option<Timestamp>,
    ) -> Result<(), CollectError> {
        let path = self.dir.join(MANIFEST);
        let failed = |source| cannot_write(&path, source);
        let header = serde_json::to_string(&self.header.until(finished_at))
            .map_err(|error| failed(error.into()))?;
        let header = header.strip_suffix('}').unwrap_or(&header);
        let write = |file: &mut BufWriter<&mut File>| {
            write!(file, "{header},\n\"requests\":[")?;
            for (no, entry) in entries.iter().flatten().enumerate() {
                file.write_all(if no == 0 { b"\n" } else { b",\n" })?;
                serde_json::to_writer(&mut *file, &entry.request())?;
            }
            file.write_all(b"\n]}\n")
        };
        // Among the pages, where the next run clears away what is not named.
        let pages = self.dir.join(PAGES);
        write_whole(&path, &pages, write, finished_at.is_some()).map_err(failed)
    }
}

/// A folder without a journal: a finished bundle, or none of ours.
fn finished(out: &Path, wanted: &Header) -> Result<Opened, CollectError> {
    let occupied = || CollectError::Occupied { out: out.into() };
    let found: Option<Header> = File::open(out.join(MANIFEST))
        .ok()
        .and_then(|file| serde_json::from_reader(BufReader::new(file)).ok());
    let found = found.ok_or_else(occupied)?;
    if let Some(difference) = wanted.difference(&found) {
        return Err(CollectError::Other {
            out: out.into(),
            difference,
        });
    }
    if found.unfinished {
        return Err(occupied());
    }
    let started_at = Timestamp::floor(&found.started_at).ok();
    started_at.map(Opened::Finished).ok_or_else(occupied)
}

/// A file comes under its name with all of its bytes. What a killed run leaves of one lies in
/// `begun_in`.
fn write_whole(
    path: &Path,
    begun_in: &Path,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
    lasting: bool,
) -> io::Result<()> {
    // Its mode is 0600 from the start.
    let mut file = NamedTempFile::new_in(begun_in)?;
    let mut buffer = BufWriter::new(file.as_file_mut());
    write(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    if lasting {
        file.as_file().sync_all()?;
    }
    file.persist(path).map(drop).map_err(|error| error.error)
}

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A folder that was there already.
fn make_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn cannot_write(path: &Path, source: io::Error) -> CollectError {
    CollectError::Write {
        path: path.into(),
        source,
    }
}

fn cannot_read(path: &Path, source: io::Error) -> CollectError {
    CollectError::Read {
        path: path.into(),
        source,
    }
}
