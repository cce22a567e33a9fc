//! Loose files and standard input: every shape that users really have, told by its content and
//! handed over record by record. A loose file shows; it proves coverage only where the user says
//! that its lists are whole.

mod finish;
mod group;
mod own;
mod records;
mod shape;
mod sniff;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::Arc;

pub(super) use group::ListGiven;

use crate::ingest::Options;
use crate::ingest::answer::{self, Document};
use crate::ingest::error::IngestError;
use crate::ingest::files::Source;
use crate::ingest::kind::{Extent, Kind};
use crate::ingest::node::Node;
use crate::ingest::owner::Owner;
use crate::ingest::path::Target;
use crate::ingest::report::{KEPT_REJECTS, Reject, Report, quoted};
use crate::ingest::rows::Ids;
use crate::ingest::snapshot;
use crate::ingest::split::{Cut, Item, Row, Splitter};
use crate::ingest::wire::PageFrame;
use crate::model::intake::Intake;
use crate::model::reading::{Declared, Gap};
use crate::model::{ProjectRef, Timestamp};
use group::{Group, GroupKey};
use sniff::{Form, LineLimit};

/// What all loose inputs of one import share.
pub(super) struct Shared<'s, I> {
    pub(super) options: &'s Options,
    pub(super) base_url: &'s str,
    pub(super) now: Timestamp,
    pub(super) intake: &'s mut I,
    pub(super) report: &'s mut Report,
    /// Lists that were said to be whole, so that none is given in two halves.
    pub(super) given: &'s mut BTreeSet<ListGiven>,
}

/// Reads one file or stream.
pub(super) fn ingest<I: Intake>(
    source: &Source,
    file: &str,
    shared: &mut Shared<'_, I>,
) -> Result<(), IngestError<I::Error>> {
    let failed = |source: io::Error| IngestError::Io {
        path: file.to_owned(),
        source,
    };
    let observed = shared.options.observed_at.or_else(|| source.modified());
    let at = observed.unwrap_or(shared.now).min(shared.now);
    let head = source.head().map_err(failed)?;
    let run = source.run(at).map_err(failed)?;
    let mut loose = Loose {
        shared,
        source,
        file,
        at,
        run: Arc::from(run),
        groups: BTreeMap::new(),
        inventories: BTreeMap::new(),
        unknown_fields: BTreeSet::new(),
        rejects: Vec::new(),
        flaw: None,
        useful: false,
        lists: false,
        ids: Ids::default(),
        records: 0,
        after_snapshot: false,
    };
    match sniff::sniff(&head, file) {
        Form::Json { skip } => loose.json(skip).map_err(|stop| stop.into_error(file))?,
        Form::Csv { skip } => loose.csv(skip).map_err(|stop| stop.into_error(file))?,
        Form::Nothing(why) => loose.reject(String::new(), why),
    }
    loose.finish()
}

/// Why reading stops before its end.
enum Stop<E> {
    Io(io::Error),
    Intake(E),
}

impl<E> Stop<E> {
    fn into_error(self, file: &str) -> IngestError<E> {
        match self {
            Self::Io(source) => IngestError::Io {
                path: file.to_owned(),
                source,
            },
            Self::Intake(error) => IngestError::Intake(error),
        }
    }
}

/// Where a record stands: what its container says for it.
#[derive(Default)]
struct Around<'a> {
    owner: Owner<'a>,
    /// The list that the container's `self` link names.
    list: Option<Kind>,
    since: Option<Timestamp>,
    filtered: bool,
    /// It stands in an array or a page, not on its own.
    in_list: bool,
}

/// The lines of the own form for one project.
struct Inventory {
    at: Timestamp,
    snapshots: usize,
    declared: Vec<Declared>,
}

struct Loose<'l, 's, I> {
    shared: &'l mut Shared<'s, I>,
    source: &'l Source,
    file: &'l str,
    at: Timestamp,
    run: Arc<str>,
    groups: BTreeMap<GroupKey, Group>,
    inventories: BTreeMap<ProjectRef, Inventory>,
    unknown_fields: BTreeSet<String>,
    rejects: Vec<Reject>,
    /// Something in the file could not be read, so none of its lists is whole.
    flaw: Option<Gap>,
    useful: bool,
    /// An array or a page was read, if only an empty one.
    lists: bool,
    /// Ids of the array or page that is being read.
    ids: Ids,
    records: u64,
    /// The last record was a snapshot: the next is tried as one first.
    after_snapshot: bool,
}

impl<I: Intake> Loose<'_, '_, I> {
    fn json(&mut self, skip: u64) -> Result<(), Stop<I::Error>> {
        let input = self.source.open(skip).map_err(Stop::Io)?;
        let splitter = Splitter::new(input);
        let mut splitter = splitter.map_err(|cut| Stop::Io(io::Error::other(cut)))?;
        loop {
            let offset = skip + splitter.offset();
            let cut = match splitter.next_item() {
                Ok(None) => return Ok(()),
                Ok(Some(Item::Value(bytes))) => {
                    let broken = self.record(bytes, &Around::default())?;
                    if !broken || !bytes_hold_a_record(bytes) {
                        continue;
                    }
                    None
                }
                Ok(Some(Item::Array)) => {
                    let around = Around {
                        in_list: true,
                        ..Around::default()
                    };
                    let ended = self.rows(&mut splitter, &around)?;
                    self.end_container(None, false);
                    ended.err()
                }
                Ok(Some(Item::Page { head })) => {
                    let mut frame = PageFrame::default();
                    frame.head(head);
                    if !frame.linked {
                        frame = answer::skim(self.source.open(offset).map_err(Stop::Io)?);
                    }
                    self.page(&mut splitter, &frame)?.err()
                }
                Err(Cut::Io(error)) => return Err(Stop::Io(error)),
                Err(cut) => Some(cut),
            };
            if let Some(cut) = cut {
                self.flaw = Some(Gap::BodyUnreadable);
                self.reject(format!("record {}", self.records + 1), &cut.to_string());
            }
            match splitter.resync() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(cut) => return Err(Stop::Io(io::Error::other(cut))),
            }
        }
    }

    /// The rows of a page, whose frame is known.
    fn page(
        &mut self,
        splitter: &mut Splitter<impl Read>,
        frame: &PageFrame,
    ) -> Result<Result<(), Cut>, Stop<I::Error>> {
        if let Some(status) = frame.status.filter(|status| *status != 200) {
            let code = frame.code.as_deref();
            self.error_answer(status, code);
            while let Ok(Some(_)) = splitter.next_row() {}
            return Ok(splitter.tail().map(drop));
        }
        if frame.damaged || frame.torn || frame.is_error() {
            self.flaw_page();
        }
        let target = frame.itself.as_ref().map(|request| &request.target);
        let around = Around {
            owner: if frame.torn {
                Owner::default()
            } else {
                frame.owner.clone()
            },
            list: target.map(|target| target.kind),
            since: target.and_then(|target| target.since),
            filtered: target.is_some_and(|target| target.filter.is_some()),
            in_list: true,
        };
        // An empty list is a list, too.
        if let Some(target) = target {
            self.open_list(target);
        }
        let mut ended = self.rows(splitter, &around)?;
        let numbered = frame.itself.as_ref().map(|r| (r.page, r.size));
        self.end_container(numbered, frame.next);
        if ended.is_ok() {
            match splitter.tail() {
                Ok(tail) => {
                    let mut end = PageFrame::default();
                    end.tail(tail);
                    let known = frame.damaged || frame.torn || frame.is_error();
                    if !known && (end.damaged || end.is_error()) {
                        self.flaw_page();
                    }
                }
                Err(cut) => ended = Err(cut),
            }
        }
        Ok(ended)
    }

    fn flaw_page(&mut self) {
        self.flaw = Some(Gap::BodyUnreadable);
        self.reject(String::new(), "a page cannot be read besides its rows");
    }

    /// A page of a list that names itself counts even without rows.
    fn open_list(&mut self, target: &Target) {
        if target.kind.extent() == Extent::Paged || target.kind.extent() == Extent::Unpaged {
            let key = GroupKey {
                kind: target.kind.of_loose(),
                project: target.group.clone(),
                cluster: target.cluster.clone(),
            };
            self.useful = true;
            let group = self.groups.entry(key);
            let group = group.or_insert_with(|| Group::new(target.kind, target.since));
            group.open();
        }
    }

    fn rows(
        &mut self,
        splitter: &mut Splitter<impl Read>,
        around: &Around<'_>,
    ) -> Result<Result<(), Cut>, Stop<I::Error>> {
        loop {
            match splitter.next_row() {
                Ok(Some(Row::Json(bytes))) => {
                    self.record(bytes, around)?;
                }
                Ok(Some(Row::TooLong)) => {
                    self.records += 1;
                    self.bad_record("is longer than 8 MiB");
                }
                Ok(None) => return Ok(Ok(())),
                Err(Cut::Io(error)) => return Err(Stop::Io(error)),
                Err(cut) => return Ok(Err(cut)),
            }
        }
    }

    /// One record, wherever it stands. True if it is no JSON.
    fn record(&mut self, bytes: &[u8], around: &Around<'_>) -> Result<bool, Stop<I::Error>> {
        self.records += 1;
        if self.after_snapshot
            && let Some(row) = snapshot::read_if_sound(bytes)
        {
            self.snapshot(row, around)?;
            return Ok(false);
        }
        self.after_snapshot = false;
        let text = String::from_utf8_lossy(bytes);
        if matches!(text, Cow::Owned(_)) {
            self.bad_record("is not UTF-8");
        }
        let node = match Node::read(text.as_bytes()) {
            Ok(node) => node,
            Err(why) => {
                self.bad_record(&why);
                return Ok(true);
            }
        };
        let node = match answer::classify(node) {
            Document::Object(node) => node,
            Document::Error { status, code } => {
                self.error_answer(status, code.as_deref());
                return Ok(false);
            }
            Document::Scalar => {
                self.bad_record("is no object");
                return Ok(false);
            }
        };
        self.object(&node, bytes, around)?;
        Ok(false)
    }

    /// A page inside an array (`jq --slurp`) or an envelope.
    fn nested_page(&mut self, bytes: &[u8]) -> Result<(), Stop<I::Error>> {
        self.records -= 1;
        let frame = answer::skim(bytes);
        let mut splitter = match Splitter::new(bytes) {
            Ok(splitter) => splitter,
            Err(cut) => return Err(Stop::Io(io::Error::other(cut))),
        };
        match splitter.next_item() {
            Ok(Some(Item::Page { .. })) => {
                if let Err(cut) = self.page(&mut splitter, &frame)? {
                    self.bad_record(&cut.to_string());
                }
            }
            Ok(_) | Err(_) => self.bad_record("is an envelope around a page"),
        }
        Ok(())
    }

    /// Counts a record into its list.
    fn count(&mut self, key: GroupKey, kind: Kind, around: &Around<'_>) -> &mut Group {
        let group = self.groups.entry(key);
        let group = group.or_insert_with(|| Group::new(kind, around.since));
        group.add(around.in_list, around.filtered, around.since);
        group
    }

    fn end_container(&mut self, numbered: Option<(u32, u32)>, next: bool) {
        self.lists = true;
        if std::mem::take(&mut self.ids).finish().0 {
            self.bad_record("shows an id again with different facts");
        }
        for group in self.groups.values_mut() {
            group.end_container(numbered, next);
        }
    }

    fn csv(&mut self, skip: u64) -> Result<(), Stop<I::Error>> {
        let input = LineLimit::new(self.source.open(skip).map_err(Stop::Io)?);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(input);
        let mut record = csv::ByteRecord::new();
        let mut header = None;
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(false) => return Ok(()),
                Ok(true) => {}
                Err(error) => {
                    self.flaw = Some(Gap::BodyUnreadable);
                    let why = format!("the CSV cannot be read on: {error}");
                    self.reject(format!("record {}", self.records + 1), &why);
                    return Ok(());
                }
            }
            let text = csv::StringRecord::from_byte_record_lossy(record.clone());
            let Some(header) = &header else {
                header = Some(text);
                continue;
            };
            self.records += 1;
            if text
                .iter()
                .any(|cell| cell.contains(char::REPLACEMENT_CHARACTER))
            {
                self.bad_record("is not UTF-8");
                continue;
            }
            match own::from_csv(header, &text) {
                Ok(node) if header.iter().any(|name| name.trim() == "kind") => {
                    self.useful = true;
                    self.own_line(&node)?;
                }
                Ok(node) => {
                    self.useful = true;
                    self.own_answer(&node)?;
                }
                Err(why) => self.bad_record(&why),
            }
        }
    }

    fn error_answer(&mut self, status: u16, code: Option<&str>) {
        let code = code
            .map(|code| format!(" {}", quoted(code)))
            .unwrap_or_default();
        self.bad_record(&format!("is the error answer {status}{code}"));
    }

    /// Rejects the record at hand; the lists of the file are not whole without it.
    fn bad_record(&mut self, why: &str) {
        self.flaw.get_or_insert(Gap::RowRejected);
        self.reject(format!("record {}", self.records), why);
    }

    fn reject(&mut self, record: String, why: &str) {
        let reject = Reject {
            file: self.file.to_owned(),
            record,
            reason: why.to_owned(),
        };
        // Without anything useful in the file the first is its reason, and none is a reject.
        if self.useful {
            let held = std::mem::take(&mut self.rejects);
            held.into_iter()
                .for_each(|held| self.shared.report.reject(held));
            self.shared.report.reject(reject);
        } else if self.rejects.len() < KEPT_REJECTS {
            self.rejects.push(reject);
        }
    }
}

/// Whether another record starts inside what was cut as one.
fn bytes_hold_a_record(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\n{")
}
