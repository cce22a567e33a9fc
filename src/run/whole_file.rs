//! A file that others read while it is written again and again, such as a collector of metrics:
//! they see all of the old one or all of the new one, and a run that fails leaves the old one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

pub(super) enum WholeFile {
    /// Written beside its place, and put there in the end.
    Replacing { file: NamedTempFile, place: PathBuf },
    /// A pipe or a device is written to; a rename would put a file in its place.
    Passing(File),
}

impl WholeFile {
    /// A symbolic link stays, and what it leads to is replaced.
    ///
    /// # Errors
    /// The folder is not there, or nothing may be written in it.
    pub(super) fn begin(path: &Path) -> io::Result<Self> {
        let place = match fs::metadata(path) {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => {
                let out = OpenOptions::new().write(true).open(path)?;
                return Ok(Self::Passing(out));
            }
            Ok(_file) => fs::canonicalize(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A link that leads nowhere: what it would lead to is made.
                match fs::read_link(path) {
                    Ok(target) => folder_of(path).join(target),
                    Err(_no_link) => path.to_owned(),
                }
            }
            Err(error) => return Err(error),
        };
        let file = tempfile::Builder::new()
            .prefix(".snapkey-report-")
            // Under the caller's umask: who collects metrics is another user.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder_of(&place))?;
        Ok(Self::Replacing { file, place })
    }

    pub(super) fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Replacing { file, place: _ } => file.as_file_mut(),
            Self::Passing(file) => file,
        }
    }

    /// Puts the file in its place, with all bytes on the disk. Without this call the old one stays.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Replacing { file, place } => {
                file.as_file().sync_all()?;
                file.persist(place).map_err(|error| error.error)?;
                Ok(())
            }
            Self::Passing(_written) => Ok(()),
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, text: &str) -> io::Result<()> {
        let mut file = WholeFile::begin(path)?;
        file.writer().write_all(text.as_bytes())?;
        file.finish()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Each reading is one of the two texts, never a part or nothing.
    #[test]
    fn a_reader_never_sees_half_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapkey.prom");
        let texts = ["old\n".repeat(50_000), "new\n".repeat(40_000)];
        put(&path, &texts[0]).unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut readings = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) || readings == 0 {
                    let text = fs::read_to_string(&path).unwrap();
                    assert!(texts.contains(&text), "{} bytes", text.len());
                    readings += 1;
                }
            });
            for round in 1..40 {
                let mut file = WholeFile::begin(&path).unwrap();
                for part in texts[round % 2].as_bytes().chunks(4_096) {
                    file.writer().write_all(part).unwrap();
                }
                file.finish().unwrap();
                if round % 10 == 0 {
                    // A run that stops half way.
                    let mut file = WholeFile::begin(&path).unwrap();
                    file.writer().write_all(b"half").unwrap();
                }
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            reader.join().unwrap();
        });
        assert_eq!(names(folder.path()), ["snapkey.prom"]);
    }

    #[test]
    fn links_stay_and_their_targets_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        fs::create_dir(&real).unwrap();
        for link in ["there", "nowhere-yet"] {
            let path = folder.path().join(link);
            std::os::unix::fs::symlink(format!("real/{link}"), &path).unwrap();
        }
        fs::write(real.join("there"), "old").unwrap();
        for link in ["there", "nowhere-yet"] {
            let path = folder.path().join(link);
            put(&path, "new").unwrap();
            assert!(fs::symlink_metadata(&path).unwrap().is_symlink(), "{link}");
            assert_eq!(fs::read_to_string(real.join(link)).unwrap(), "new");
        }
    }

    #[test]
    fn devices_are_written_to() {
        put(Path::new("/dev/null"), "text").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(put(folder.path(), "text").is_err());
        assert!(put(&folder.path().join("missing/file"), "text").is_err());
        assert!(names(folder.path()).is_empty());
    }
}
