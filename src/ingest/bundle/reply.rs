//! The reply to one request of a bundle: its file is read, its rows are handed over, and what
//! is left is an answer to be counted.

use std::io::{self, Read};

use super::Bundle;
use super::coverage::Answer;
use super::manifest::Entry;
use crate::ingest::answer::{self, Document, PageOpen};
use crate::ingest::error::IngestError;
use crate::ingest::files;
use crate::ingest::kind::{Extent, Kind, SnapshotList};
use crate::ingest::node::Node;
use crate::ingest::owner::Familiar;
use crate::ingest::path::Target;
use crate::ingest::report::quoted;
use crate::ingest::rows::{self, Ids, Taken};
use crate::ingest::snapshot::{self, SnapshotRow};
use crate::ingest::split::{Cut, Row, Splitter};
use crate::ingest::wire::PageFrame;
use crate::model::ProjectRef;
use crate::model::intake::Intake;
use crate::model::reading::{Content, Gap, Scope};

const ERROR_FRAME: &str = "says of itself that it is an error";
const BROKEN_FRAME: &str = "cannot be read besides its rows";

/// Reads the file of one request.
pub(super) struct ReplyReader<'r, 'b, I> {
    pub(super) bundle: &'r mut Bundle<'b, I>,
    pub(super) entry: &'r Entry,
    pub(super) target: &'r Target,
    pub(super) project: Option<&'r ProjectRef>,
    /// Passes will be compared.
    pub(super) compare: bool,
    pub(super) content: &'r mut Content,
    pub(super) tally: Tally,
    /// Kept from one page to the next of a list.
    pub(super) familiar: &'r mut Familiar,
}

/// What the rows of one reply add up to.
#[derive(Default)]
pub(super) struct Tally {
    count: u64,
    ids: Ids,
    flaw: Option<Gap>,
}

/// Why the rows of a page end early.
enum Stop<E> {
    Cut(Cut),
    Intake(E),
}

impl<E> From<Cut> for Stop<E> {
    fn from(cut: Cut) -> Self {
        Self::Cut(cut)
    }
}

impl<I: Intake> ReplyReader<'_, '_, I> {
    pub(super) fn read(mut self) -> Result<Answer, IngestError<I::Error>> {
        let (false, Some(status)) = (self.entry.void, self.entry.status) else {
            return Ok(Answer::Nothing);
        };
        if status != 200 {
            return Ok(Answer::Error {
                status,
                code: self.error_code(status),
            });
        }
        let Some(input) = self.open() else {
            return Ok(self.lost(Gap::FileMissing));
        };
        match self.target.kind.extent() {
            Extent::Paged | Extent::Unpaged => self.page(input),
            Extent::Object | Extent::Single => self.object(input),
        }
    }

    fn open(&mut self) -> Option<std::fs::File> {
        let Some(file) = &self.entry.file else {
            let index = self.entry.index;
            self.bundle.gap(&format!("requests[{index}] names no file"));
            return None;
        };
        match files::open_inside(self.bundle.dir, file) {
            Ok(input) => Some(input),
            Err(why) => {
                let index = self.entry.index;
                let file = quoted(file);
                self.bundle
                    .gap(&format!("requests[{index}]: the file {file} {why}"));
                None
            }
        }
    }

    /// The errorCode of a failed request, if its body has one that goes with its status.
    fn error_code(&mut self, status: u16) -> Option<String> {
        self.entry.file.as_ref()?;
        let input = self.open()?;
        match answer::document(input) {
            Ok(Document::Error {
                status: found,
                code,
            }) if found == status => code,
            Ok(_) | Err(_) => None,
        }
    }

    fn page(&mut self, input: std::fs::File) -> Result<Answer, IngestError<I::Error>> {
        let mut splitter = match Splitter::new(input) {
            Ok(splitter) => splitter,
            Err(cut) => return Ok(self.unreadable(&cut.to_string())),
        };
        let entry = self.entry;
        let dir = self.bundle.dir;
        let opened = answer::open_page(&mut splitter, || {
            let file = entry.file.as_deref().unwrap_or_default();
            files::open_inside(dir, file).map_err(io::Error::other)
        });
        let mut frame = match opened {
            Ok(PageOpen::Rows(frame)) => frame,
            Ok(PageOpen::Other(Document::Error { status, code })) => {
                return Ok(Answer::Error { status, code });
            }
            Ok(PageOpen::Other(Document::Object(_) | Document::Scalar)) => {
                return Ok(self.unreadable("has no `results`"));
            }
            Ok(PageOpen::Array) => return Ok(self.unreadable("is an array and no page")),
            Err(why) => return Ok(self.unreadable(&why)),
        };
        if let Some(status) = frame.status.filter(|status| *status != 200) {
            return Ok(Answer::Error {
                status,
                code: frame.code,
            });
        }
        if frame.owner.contradicts(self.target) {
            return Ok(self.wrong_owner());
        }
        let told = frame.damaged;
        if told {
            self.flawed(Gap::BodyUnreadable, "", BROKEN_FRAME);
        }
        let ended = match self.rows(&mut splitter) {
            Ok(()) => frame_end(&mut splitter, &mut frame),
            Err(Stop::Cut(cut)) => Err(cut.to_string()),
            Err(Stop::Intake(error)) => return Err(IngestError::Intake(error)),
        };
        if let Err(why) = ended {
            self.flawed(Gap::BodyUnreadable, "", &why);
        } else if frame.damaged && !told {
            self.flawed(Gap::BodyUnreadable, "", BROKEN_FRAME);
        } else if frame.torn || frame.owner.contradicts(self.target) {
            self.flawed(Gap::WrongOwner, "", "names another owner behind its rows");
        } else if frame.is_error() {
            self.flawed(Gap::BodyUnreadable, "", ERROR_FRAME);
        }
        let (torn, ids) = std::mem::take(&mut self.tally.ids).finish();
        if torn {
            self.flawed(
                Gap::RowRejected,
                "",
                "shows one id twice with different facts",
            );
        }
        Ok(Answer::Rows {
            count: self.tally.count,
            ids: if self.compare { ids } else { Vec::new() },
            flaw: self.tally.flaw,
        })
    }

    /// Reads the rows of a page. A sound row of a snapshot is looked through once; any other is
    /// cut out first, so that what is wrong with it costs nothing else.
    fn rows(&mut self, splitter: &mut Splitter<impl Read>) -> Result<(), Stop<I::Error>> {
        let list = self.target.kind.snapshots();
        while splitter.at_row()? {
            if let Some(list) = list
                && let Some((row, length)) = snapshot::read_ahead(splitter.ahead()?)
            {
                self.tally.count += 1;
                self.snapshot(row, list).map_err(Stop::Intake)?;
                splitter.pass(length);
                continue;
            }
            let row = splitter.cut_row()?;
            self.tally.count += 1;
            self.row(&row).map_err(Stop::Intake)?;
        }
        Ok(())
    }

    /// A row that was cut out of its page.
    fn row(&mut self, row: &Row<'_>) -> Result<(), I::Error> {
        let Row::Json(bytes) = row else {
            self.reject_row("is longer than 8 MiB");
            return Ok(());
        };
        let Some(list) = self.target.kind.snapshots() else {
            match Node::read(bytes).and_then(|node| self.other_row(&node)) {
                Ok(flaws) => flaws.iter().for_each(|flaw| self.reject_row(flaw)),
                Err(why) => self.reject_row(&why),
            }
            return Ok(());
        };
        match snapshot::read(bytes) {
            Ok(row) => self.snapshot(row, list),
            Err(why) => {
                self.reject_row(&why);
                Ok(())
            }
        }
    }

    fn snapshot(&mut self, mut row: SnapshotRow<'_>, list: SnapshotList) -> Result<(), I::Error> {
        let foreign = match &row.links.only {
            Some(href) => self.familiar.contradicts(href, self.target),
            None => row.links.torn || row.links.owner().contradicts(self.target),
        };
        if foreign {
            self.reject_row("is the row of another project or cluster");
            return Ok(());
        }
        // A row of another list in the place of a snapshot hides the snapshot.
        if row.flaws.is_empty() && row.says_nothing() {
            self.reject_row("says nothing that a snapshot says");
        }
        for flaw in std::mem::take(&mut row.flaws) {
            self.reject_row(&flaw);
        }
        self.tally.ids.add(
            &row.id,
            (&row.status, row.created_at, row.expires_at, &row.keys),
        );
        let (Some(project), Some(cluster), Some(at)) =
            (self.project, &self.target.cluster, self.entry.at)
        else {
            return Ok(());
        };
        self.bundle.report.snapshots += 1;
        rows::show(self.bundle.intake, row, list, project, cluster, at)
    }

    /// Rejects the row counted last, or something in it.
    fn reject_row(&mut self, why: &str) {
        let record = self.tally.count.saturating_sub(1);
        self.flawed(Gap::RowRejected, &format!("results[{record}]"), why);
    }

    /// A row of a list other than of snapshots; gives its flaws.
    fn other_row(&mut self, node: &Node) -> Result<Vec<String>, String> {
        let id = node.get("id").and_then(Node::as_text);
        let id = id.or_else(|| node.get("name").and_then(Node::as_text));
        let scoped = self.is_in_scope(node);
        if !scoped {
            return Ok(Vec::new());
        }
        let stated = node.get("groupId").and_then(Node::as_text);
        if let (Some(stated), Some(asked)) = (stated, &self.target.group)
            && stated != asked.as_str()
        {
            return Err("is the row of another project".to_owned());
        }
        let taken = rows::take(self.content, node)?;
        self.tally.ids.add(id.unwrap_or_default(), ());
        Ok(taken.flaws)
    }

    /// Whether a project on a list belongs to what the bundle was made to ask for.
    fn is_in_scope(&self, node: &Node) -> bool {
        if !matches!(self.target.kind, Kind::Groups | Kind::OrgGroups) {
            return true;
        }
        let text = |name| node.get(name).and_then(Node::as_text);
        match &self.bundle.manifest.root.scope {
            Scope::AllVisible => true,
            Scope::Org(org) => {
                self.target.org.as_ref().or(None) == Some(org) || text("orgId") == Some(org)
            }
            // A row without a usable id is to be rejected, not passed over.
            Scope::Projects(ids) => {
                text("id").is_none_or(|id| ids.iter().any(|stated| stated == id))
            }
        }
    }

    fn object(&mut self, input: impl Read) -> Result<Answer, IngestError<I::Error>> {
        let node = match answer::document(input) {
            Ok(Document::Object(node)) => node,
            Ok(Document::Scalar) if self.target.kind == Kind::CompliancePolicy => Node::Null,
            Ok(Document::Error { status, code }) => return Ok(Answer::Error { status, code }),
            Ok(Document::Scalar) => return Ok(self.unreadable("is no object")),
            Err(why) => return Ok(self.unreadable(&why)),
        };
        let owner = answer::owner_of(&node);
        if owner.is_none_or(|owner| owner.contradicts(self.target)) {
            return Ok(self.wrong_owner());
        }
        self.tally.count = 1;
        if self.target.kind.snapshots().is_some() {
            return self.single_snapshot(&node);
        }
        match rows::take(self.content, &node) {
            Ok(Taken {
                flaws,
                project,
                cluster,
                org: _,
            }) => {
                let other = |stated: Option<String>, asked: &Option<String>| {
                    stated.is_some() && asked.is_some() && stated != *asked
                };
                if other(project, &self.target.group) || other(cluster, &self.target.cluster) {
                    *self.content = rows::empty_content(self.target.kind, None);
                    return Ok(self.wrong_owner());
                }
                for flaw in flaws {
                    self.flawed(Gap::RowRejected, "", &flaw);
                }
            }
            Err(why) => return Ok(self.unreadable(&why)),
        }
        Ok(Answer::Rows {
            count: 1,
            ids: Vec::new(),
            flaw: self.tally.flaw,
        })
    }

    fn single_snapshot(&mut self, node: &Node) -> Result<Answer, IngestError<I::Error>> {
        let Some(list) = self.target.kind.snapshots() else {
            return Ok(Answer::Nothing);
        };
        let mut row = match snapshot::of_node(node) {
            Ok(row) => row,
            Err(why) => return Ok(self.unreadable(&why)),
        };
        if self.target.object.as_deref() != Some(row.id.as_ref()) {
            return Ok(self.wrong_owner());
        }
        for flaw in std::mem::take(&mut row.flaws) {
            self.flawed(Gap::RowRejected, "", &flaw);
        }
        if let (Some(project), Some(cluster), Some(at)) =
            (self.project, &self.target.cluster, self.entry.at)
        {
            self.bundle.report.snapshots += 1;
            rows::show(self.bundle.intake, row, list, project, cluster, at)
                .map_err(IngestError::Intake)?;
        }
        Ok(Answer::Rows {
            count: 1,
            ids: Vec::new(),
            flaw: self.tally.flaw,
        })
    }

    fn wrong_owner(&mut self) -> Answer {
        self.flawed(
            Gap::WrongOwner,
            "",
            "is the answer of another project or cluster than was asked",
        );
        self.lost(Gap::WrongOwner)
    }

    fn unreadable(&mut self, why: &str) -> Answer {
        self.flawed(Gap::BodyUnreadable, "", why);
        self.lost(Gap::BodyUnreadable)
    }

    const fn lost(&self, gap: Gap) -> Answer {
        Answer::Rows {
            count: 0,
            ids: Vec::new(),
            flaw: Some(gap),
        }
    }

    fn flawed(&mut self, gap: Gap, record: &str, why: &str) {
        let worse = match self.tally.flaw {
            None | Some(Gap::RowRejected) => gap,
            Some(flaw) => flaw,
        };
        self.tally.flaw = Some(worse);
        let file = self.entry.file.clone().unwrap_or_default();
        let file = format!("{}/{file}", self.bundle.name);
        self.bundle.reject(&file, self.entry.index, record, why);
    }
}

fn frame_end(splitter: &mut Splitter<impl Read>, frame: &mut PageFrame) -> Result<(), String> {
    frame.tail(splitter.tail().map_err(|cut| cut.to_string())?);
    match splitter.next_item() {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err("holds more than one document".to_owned()),
        Err(cut) => Err(cut.to_string()),
    }
}
