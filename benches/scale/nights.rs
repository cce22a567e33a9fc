//! What a store costs that is fed every night: the same lists, read again and again.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::generate::{self, AS_OF, READ_AT};
use crate::measure::{Run, run};
use crate::{ANSWERS, remove_store};

/// How often the lists were read.
pub(crate) const NIGHTS: [i64; 3] = [1, 30, 90];
const DAY: i64 = 86_400;

/// After so many nights.
pub(crate) struct Night {
    pub(crate) no: i64,
    pub(crate) ingest: Run,
    pub(crate) check: Run,
    pub(crate) audit: Run,
    /// Bytes of the store.
    pub(crate) size: u64,
}

pub(crate) fn measure(
    folder: &Path,
    snapkey: &dyn Fn(&[&str]) -> Command,
    snapshots: u64,
) -> Result<(generate::Written, Vec<Night>)> {
    let written = generate::write(folder, snapshots, 1)?;
    let store = folder.join("snapkey.db");
    remove_store(&store)?;
    let with_store = |args: &[&str], as_of: &str| {
        let mut command = snapkey(args);
        command.args(["-q", "--as-of", as_of]);
        command.arg("--store").arg(&store);
        command
    };
    let mut ingest = snapkey(&["ingest", "-q"]);
    run(
        ingest.arg("--store").arg(&store).arg(&written.key_answers),
        &[0],
    )?;
    let manifest = written.bundle.join("manifest.json");
    let first = fs::read_to_string(&manifest)?;
    let mut nights = Vec::new();
    for no in 1..=NIGHTS[NIGHTS.len() - 1] {
        let later = (no - 1) * DAY;
        let read_at = generate::time(READ_AT + later);
        fs::write(&manifest, first.replace(&generate::time(READ_AT), &read_at))?;
        let mut ingest = snapkey(&["ingest", "-q"]);
        let ingested = run(ingest.arg("--store").arg(&store).arg(&written.bundle), &[0])?;
        if !NIGHTS.contains(&no) {
            continue;
        }
        let as_of = chrono::DateTime::parse_from_rfc3339(AS_OF)?.timestamp() + later;
        let as_of = generate::time(as_of);
        let mut check = with_store(&["check", "--no-probe"], &as_of);
        nights.push(Night {
            no,
            ingest: ingested,
            check: run(check.arg(&written.one_key), &ANSWERS)?,
            audit: run(
                &mut with_store(&["audit", "--no-probe", "--format", "json"], &as_of),
                &ANSWERS,
            )?,
            size: fs::metadata(&store).context("no store")?.len(),
        });
    }
    Ok((written, nights))
}
