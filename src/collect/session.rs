//! One collection under way: a list is asked for, written and noted, or taken over from what a
//! stopped run kept.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use super::body::{self, Body};
use super::bundle::Bundle;
use super::journal::{Entry, Kept};
use super::list::{Heard, ListRead, Reader, Turn};
use super::request::{Kind, List, below_project};
use super::strip::strip;
use super::{CollectError, Plan, Progress};
use crate::http::{Answer, Ask, Failure};
use crate::model::Timestamp;

pub(super) struct Session<'s, A> {
    ask: &'s A,
    pub(super) plan: &'s Plan<'s>,
    bundle: &'s Bundle,
    pub(super) started_at: Timestamp,
    kept: RefCell<Kept>,
    progress: &'s dyn Progress,
    asked: Cell<usize>,
    projects_done: Cell<usize>,
}

impl<'s, A: Ask> Session<'s, A> {
    pub(super) fn new(
        ask: &'s A,
        plan: &'s Plan<'s>,
        bundle: &'s Bundle,
        started_at: Timestamp,
        kept: Kept,
        progress: &'s dyn Progress,
    ) -> Self {
        Self {
            ask,
            plan,
            bundle,
            started_at,
            kept: RefCell::new(kept),
            progress,
            asked: Cell::new(0),
            projects_done: Cell::new(0),
        }
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.get()
    }

    pub(super) fn stopped(&self) -> CollectError {
        CollectError::Stopped {
            projects: self.projects_done.get(),
        }
    }

    pub(super) fn to_read(&self, projects: usize) {
        self.progress.projects(projects);
    }

    pub(super) fn project_done(&self) {
        self.projects_done.set(self.projects_done.get() + 1);
        self.progress.project_done();
    }

    /// Reads a list that stands at the head of its project: if it has to be asked for, so has
    /// everything that was read after it.
    pub(super) async fn head(&self, list: &List) -> Result<ListRead, CollectError> {
        let read = self.read(list).await?;
        if let Some(project) = list.project.as_deref().filter(|_| read.asked) {
            self.kept.borrow_mut().forget(&below_project(project));
        }
        Ok(read)
    }

    /// Reads a list to its end.
    pub(super) async fn read(&self, list: &List) -> Result<ListRead, CollectError> {
        let kept = self.kept.borrow_mut().take(&list.path);
        if let Some(read) = kept.and_then(|entries| self.replay(list, entries)) {
            return Ok(read);
        }
        self.bundle.begin(&list.path)?;
        let mut reader = Reader::new(list);
        while let Some(turn) = reader.next() {
            let (entry, heard) = self.turn(list, turn).await?;
            self.bundle.answer(&entry)?;
            self.progress.answered();
            reader.take(entry, heard);
        }
        self.bundle.done(&list.path)?;
        Ok(reader.finish(true))
    }

    /// The list as a stopped run read it; `None` if it is to be asked for again.
    fn replay(&self, list: &List, entries: Vec<Entry>) -> Option<ListRead> {
        let mut reader = Reader::new(list);
        for entry in entries {
            let turn = reader.next()?;
            let same = entry.page == turn.page
                && entry.pass == turn.pass
                && entry.accept == list.kind.accept();
            if !same {
                return None;
            }
            let body = match &entry.file {
                Some(file) => self.bundle.read_page(file).ok()?,
                None => Vec::new(),
            };
            let heard = match (entry.status, &entry.failure) {
                (Some(status), None) => Heard::Answer(status, body::read(list.kind, status, &body)),
                (_, _) => return None,
            };
            self.progress.answered();
            reader.take(entry, heard);
        }
        let read = reader.next().is_none().then(|| reader.finish(false))?;
        read.verdict.is_settled(list.kind).then_some(read)
    }

    /// Asks for a page. An answer that is not what was asked for is asked for once more: only
    /// the last is kept.
    async fn turn(&self, list: &List, turn: Turn) -> Result<(Entry, Heard), CollectError> {
        let path = list.page(turn.page);
        let mut answer = self.get(&path, list.kind).await?;
        let mut heard = hear(list.kind, &answer);
        if let Heard::Answer(200, Body::Other(_) | Body::Error { .. }) = heard {
            answer = self.get(&path, list.kind).await?;
            heard = hear(list.kind, &answer);
        }
        let file = match &heard {
            Heard::Answer(..) => self.write(list.kind, &answer)?,
            Heard::Nothing(_) => None,
        };
        let entry = Entry {
            list: list.path.clone(),
            page: turn.page,
            pass: turn.pass,
            accept: Cow::Borrowed(list.kind.accept()),
            // Half a refusal is none: what it refuses, and why, stands in its body.
            status: answer.status.filter(|status| {
                !(400..500).contains(status) || matches!(heard, Heard::Answer(..))
            }),
            // Without a clock of the service the collector's counts: an answer needs a time.
            at: answer
                .status
                .map(|_| answer.date.unwrap_or(answer.local_at).to_string()),
            local_at: answer.local_at.to_string(),
            file,
            failure: answer.failure.as_ref().map(Failure::to_string),
        };
        Ok((entry, heard))
    }

    async fn get(&self, path: &str, kind: Kind) -> Result<Answer, CollectError> {
        self.asked.set(self.asked.get() + 1);
        let mut answer = self.ask.get(path, kind.accept()).await;
        if kind == Kind::CompliancePolicy && answer.failure == Some(Failure::Empty) {
            // How a project without a policy is answered is not documented.
            answer.failure = None;
        }
        match &answer.failure {
            Some(Failure::Stopped) => Err(self.stopped()),
            Some(Failure::Login(why)) => Err(CollectError::Login(why.clone())),
            Some(
                Failure::TimedOut(_)
                | Failure::Unreachable(_)
                | Failure::Cut(_)
                | Failure::TooLarge(_)
                | Failure::NotJson
                | Failure::Empty,
            )
            | None => Ok(answer),
        }
    }

    /// Writes what came back, without secrets; what nobody can read is not kept.
    fn write(&self, kind: Kind, answer: &Answer) -> Result<Option<String>, CollectError> {
        let nothing = answer.body.trim_ascii().is_empty();
        let says_nothing = nothing && kind == Kind::CompliancePolicy && answer.status == Some(200);
        if says_nothing {
            return self.bundle.page(&answer.body).map(Some);
        }
        match strip(&answer.body) {
            Some(body) => self.bundle.page(&body).map(Some),
            None => Ok(None),
        }
    }
}

fn hear(kind: Kind, answer: &Answer) -> Heard {
    match (answer.status, &answer.failure) {
        (_, Some(failure)) => Heard::Nothing(failure.to_string()),
        (None, None) => Heard::Nothing("was not answered".to_owned()),
        (Some(status), None) => Heard::Answer(status, body::read(kind, status, &answer.body)),
    }
}
