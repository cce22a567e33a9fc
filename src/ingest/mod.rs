//! Bytes to model: bundles, loose files and standard input are read, lowered and handed to an
//! [`Intake`], with an account of what could not be read. One call is one import.
//!
//! This layer reads files and their modification times and nothing else: no clock, no network,
//! no environment. It judges how much of a list was read and never what that means for a key.

mod answer;
mod bundle;
mod error;
mod files;
mod kind;
mod loose;
mod lower;
mod node;
mod owner;
mod path;
#[cfg(test)]
mod recorder;
mod report;
mod rows;
mod snapshot;
mod split;
mod wire;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use error::IngestError;
pub use report::{ImportOutcome, Reject, Report, UselessInput};

use crate::model::intake::Intake;
use crate::model::{Observation, Timestamp};

/// Where Atlas lives unless something says otherwise.
pub const DEFAULT_BASE_URL: &str = "https://cloud.mongodb.com";
/// Times up to this many seconds ahead of the wall clock count as now, and two clocks may differ
/// by as much (design section 4, "Bundle").
const MAX_SKEW: i64 = 300;
/// Name of standard input in messages.
const STDIN: &str = "standard input";
/// What a folder is searched for, by the end of the name.
const EXTENSIONS: [&str; 4] = ["json", "ndjson", "jsonl", "csv"];

/// One path of the command line, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A bundle, a folder, or a file, which is read whatever its name.
    Path(PathBuf),
    Stdin,
}

/// Reads the JSON of a key tool (`aws kms describe-key`), answered at the given time. The error
/// says what is wrong with it.
pub type ReadKeyAnswer = fn(&serde_json::Value, Timestamp) -> Result<Vec<Observation>, String>;

/// What the user said about the inputs; all of it is for loose files only, a bundle speaks for
/// itself.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--base-url`.
    pub base_url: Option<String>,
    /// The base URL of the one root in the store, if there is one.
    pub known_base_url: Option<String>,
    /// `--project`, for records that do not name theirs.
    pub project: Option<String>,
    /// `--cluster`, for records that do not name theirs.
    pub cluster: Option<String>,
    /// `--observed-at`: when the files were answered; else their modification time.
    pub observed_at: Option<Timestamp>,
    /// `--complete`: the lists given are whole.
    pub complete: bool,
    pub read_key_answer: ReadKeyAnswer,
}

/// Reads all inputs as one import.
///
/// An error means that nothing may be kept. What could not be read of a file, a page or a record
/// is no error: it is in the [`Report`].
pub fn ingest<I: Intake>(
    inputs: &[Input],
    stdin: &mut dyn Read,
    options: &Options,
    now: Timestamp,
    intake: &mut I,
) -> Result<Report, IngestError<I::Error>> {
    let mut options = options.clone();
    options.observed_at = checked_observed_at(&options, now)?;
    let base_url = options
        .base_url
        .as_deref()
        .or(options.known_base_url.as_deref());
    let base_url = path::base_url(base_url.unwrap_or(DEFAULT_BASE_URL));
    let base_url = base_url.map_err(|why| IngestError::Usage(format!("--base-url: {why}")))?;
    for input in inputs {
        if let Input::Path(path) = input {
            fs::metadata(path).map_err(|error| path_error(path, error))?;
        }
    }
    let mut report = Report::default();
    let mut import = Import {
        options: &options,
        base_url: &base_url,
        now,
        intake,
        report: &mut report,
        given: BTreeSet::new(),
    };
    for input in inputs {
        match input {
            Input::Path(path) => import.path(path)?,
            Input::Stdin => import.stream(stdin, STDIN)?,
        }
    }
    Ok(report)
}

fn checked_observed_at<E>(
    options: &Options,
    now: Timestamp,
) -> Result<Option<Timestamp>, IngestError<E>> {
    let Some(at) = options.observed_at else {
        return if options.complete {
            Err(IngestError::Usage(
                "`--complete` needs `--observed-at`: a modification time proves no coverage"
                    .to_owned(),
            ))
        } else {
            Ok(None)
        };
    };
    if at > now.saturating_add(MAX_SKEW) {
        return Err(IngestError::Usage(format!(
            "`--observed-at` {at} is more than five minutes ahead of now"
        )));
    }
    Ok(Some(at.min(now)))
}

fn path_error<E>(path: &Path, source: io::Error) -> IngestError<E> {
    let path = path.display().to_string();
    if source.kind() == io::ErrorKind::NotFound {
        IngestError::MissingPath(path)
    } else {
        IngestError::Io { path, source }
    }
}

/// One import under way.
struct Import<'i, I> {
    options: &'i Options,
    base_url: &'i str,
    now: Timestamp,
    intake: &'i mut I,
    report: &'i mut Report,
    given: BTreeSet<loose::ListGiven>,
}

impl<I: Intake> Import<'_, I> {
    /// A path of the command line.
    fn path(&mut self, path: &Path) -> Result<(), IngestError<I::Error>> {
        let meta = fs::metadata(path).map_err(|error| path_error(path, error))?;
        let name = path.display().to_string();
        if meta.is_file() {
            return self.loose(&files::Source::File(path.to_path_buf()), &name);
        }
        if !meta.is_dir() {
            // A pipe can be read only once.
            let mut stream = File::open(path).map_err(|error| path_error(path, error))?;
            return self.stream(&mut stream, &name);
        }
        if !self.folder(path)? {
            self.report.useless_inputs.push(UselessInput {
                file: name,
                reason: "holds neither a bundle nor a file named `*.json`, `*.ndjson`, \
                         `*.jsonl` or `*.csv`"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// A bundle, or a folder to be walked in name order; false if there was nothing to read.
    fn folder(&mut self, dir: &Path) -> Result<bool, IngestError<I::Error>> {
        if fs::symlink_metadata(dir.join(bundle::MANIFEST)).is_ok() {
            bundle::ingest(dir, self.now, self.intake, self.report)?;
            return Ok(true);
        }
        let listed = fs::read_dir(dir).and_then(|entries| {
            entries
                .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))))
                .collect::<io::Result<Vec<_>>>()
        });
        let mut entries = listed.map_err(|error| path_error(dir, error))?;
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut any = false;
        for (path, kind) in entries {
            if kind.is_dir() {
                any |= self.folder(&path)?;
                continue;
            }
            let extension = path.extension().and_then(|extension| extension.to_str());
            let wanted = extension.is_some_and(|extension| {
                EXTENSIONS
                    .iter()
                    .any(|known| extension.eq_ignore_ascii_case(known))
            });
            if !wanted {
                continue;
            }
            any = true;
            let name = path.display().to_string();
            // What is found on the way is not what was asked for by name: it costs itself.
            let refused = if kind.is_file() {
                let opened = File::open(&path);
                opened
                    .err()
                    .map(|error| format!("could not be read: {error}"))
            } else {
                Some("is a link or no regular file; give it by name to have it read".to_owned())
            };
            match refused {
                None => self.loose(&files::Source::File(path), &name)?,
                Some(reason) => self.report.reject(Reject {
                    file: name,
                    record: String::new(),
                    reason,
                }),
            }
        }
        Ok(any)
    }

    fn stream(&mut self, stream: &mut dyn Read, name: &str) -> Result<(), IngestError<I::Error>> {
        let source = files::Source::spool(stream).map_err(|source| IngestError::Io {
            path: name.to_owned(),
            source,
        })?;
        self.loose(&source, name)
    }

    fn loose(&mut self, source: &files::Source, name: &str) -> Result<(), IngestError<I::Error>> {
        let mut shared = loose::Shared {
            options: self.options,
            base_url: self.base_url,
            now: self.now,
            intake: self.intake,
            report: self.report,
            given: &mut self.given,
        };
        loose::ingest(source, name, &mut shared)
    }
}
