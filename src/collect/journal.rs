//! What is noted of a collection while it is under way: which bundle it is, a line for each
//! answer, and where each list begins and ends. A list that a stopped run did not end is none: its
//! pages would be of two passes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Plan;
use super::request::page_of;
use crate::model::Timestamp;
use crate::model::reading::Scope;

const FORMAT: &str = "snapkey-bundle/1";
/// Two clocks may differ by this many seconds (design section 4, "Bundle").
const MAX_SKEW: i64 = 300;

/// One request and what is noted of its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Path and query of the list.
    pub(super) list: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) page: Option<u32>,
    pub(super) pass: u8,
    pub(super) accept: Cow<'static, str>,
    pub(super) status: Option<u16>,
    /// The service's clock.
    pub(super) at: Option<String>,
    /// The collector's clock.
    pub(super) local_at: String,
    pub(super) file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
}

impl Entry {
    pub(super) fn is_skewed(&self) -> bool {
        let at = self.at.as_deref().and_then(|at| Timestamp::floor(at).ok());
        let local = Timestamp::floor(&self.local_at).ok();
        at.zip(local)
            .is_some_and(|(at, local)| at.since(local).abs() > MAX_SKEW)
    }

    /// As the manifest has it (design section 4, "Bundle").
    pub(super) fn request(&self) -> serde_json::Value {
        let mut request = json!({
            "path": page_of(&self.list, self.page),
            "accept": self.accept,
            "status": self.status,
            "local_at": self.local_at,
            "file": self.file,
        });
        if let Some(members) = request.as_object_mut() {
            if let Some(at) = &self.at {
                members.insert("at".to_owned(), at.clone().into());
            }
            if self.pass > 1 {
                members.insert("pass".to_owned(), self.pass.into());
            }
            if let Some(failure) = &self.failure {
                members.insert("failure".to_owned(), failure.clone().into());
            }
        }
        request
    }
}

/// What a bundle is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    format: String,
    source: String,
    base_url: String,
    scope: serde_json::Value,
    #[serde(default)]
    identity: Option<String>,
    /// When the first run began.
    pub(super) started_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unfinished: bool,
}

impl Header {
    pub(super) fn of(plan: &Plan<'_>, started_at: Timestamp) -> Self {
        let scope = match &plan.scope {
            Scope::AllVisible => json!({"all_visible": true}),
            Scope::Org(org) => json!({"org": org}),
            Scope::Projects(ids) => json!({"projects": ids.iter().collect::<BTreeSet<_>>()}),
        };
        Self {
            format: FORMAT.to_owned(),
            source: "atlas".to_owned(),
            base_url: plan.base_url.clone(),
            scope,
            identity: plan.identity.clone(),
            started_at: started_at.to_string(),
            finished_at: None,
            unfinished: false,
        }
    }

    /// The same bundle, finished at this time or not yet.
    pub(super) fn until(&self, finished_at: Option<Timestamp>) -> Self {
        Self {
            finished_at: finished_at.map(|at| at.to_string()),
            unfinished: finished_at.is_none(),
            ..self.clone()
        }
    }

    /// What differs from a bundle that is to be gone on with.
    pub(super) fn difference(&self, found: &Self) -> Option<String> {
        let told = |what: &str, found: &str, wanted: &str| {
            Some(format!("its {what} is `{found}`, asked for is `{wanted}`"))
        };
        let none = "none";
        if found.format != self.format {
            told("format", &found.format, &self.format)
        } else if found.source != self.source {
            told("source", &found.source, &self.source)
        } else if found.base_url != self.base_url {
            told("base URL", &found.base_url, &self.base_url)
        } else if found.scope != self.scope {
            told("scope", &found.scope.to_string(), &self.scope.to_string())
        } else if found.identity != self.identity {
            let wanted = self.identity.as_deref().unwrap_or(none);
            told(
                "credential",
                found.identity.as_deref().unwrap_or(none),
                wanted,
            )
        } else {
            None
        }
    }
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    Header(Header),
    /// A list is asked for: what was noted of it before is void.
    Begin(String),
    Answer(Entry),
    /// A list has been read.
    Done(String),
}

/// The lists that a stopped run read to their end, by path.
#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<String, Vec<Entry>>);

impl Kept {
    pub(super) fn take(&mut self, list: &str) -> Option<Vec<Entry>> {
        self.0.remove(list)
    }

    /// Lets go of everything below a path.
    pub(super) fn forget(&mut self, below: &str) {
        let lists = self.0.range(below.to_owned()..).map(|(list, _)| list);
        let lists: Vec<String> = lists
            .take_while(|list| list.starts_with(below))
            .cloned()
            .collect();
        for list in lists {
            self.0.remove(&list);
        }
    }

    /// Without lists of which a page is older than the run that asked for it.
    pub(super) fn since(mut self, started_at: Timestamp) -> Self {
        let is_of_run = |entry: &Entry| {
            let local = Timestamp::floor(&entry.local_at);
            let at = entry.at.as_deref().map(Timestamp::floor).transpose();
            local.is_ok_and(|local| local >= started_at)
                && at.is_ok_and(|at| at.is_none_or(|at| at >= started_at.saturating_add(-MAX_SKEW)))
        };
        self.0.retain(|_, entries| entries.iter().all(is_of_run));
        self
    }

    pub(super) fn files(&self) -> BTreeSet<&str> {
        let entries = self.0.values().flatten();
        entries.filter_map(|entry| entry.file.as_deref()).collect()
    }
}

/// What a journal says.
pub(super) struct Told {
    pub(super) header: Option<Header>,
    pub(super) kept: Kept,
    /// Up to the end of the last whole line.
    pub(super) length: u64,
}

/// Reads a journal.
pub(super) fn read(mut input: impl BufRead) -> io::Result<Told> {
    let mut told = Told {
        header: None,
        kept: Kept::default(),
        length: 0,
    };
    let mut open: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = input.read_until(b'\n', &mut line)?;
        if length == 0 || line.last() != Some(&b'\n') {
            return Ok(told);
        }
        told.length = told.length.saturating_add(length as u64);
        match serde_json::from_slice(&line) {
            Ok(Line::Header(found)) => told.header = Some(found),
            Ok(Line::Begin(list)) => {
                told.kept.0.remove(&list);
                open.insert(list, Vec::new());
            }
            Ok(Line::Answer(entry)) => {
                if let Some(entries) = open.get_mut(&entry.list) {
                    entries.push(entry);
                }
            }
            Ok(Line::Done(list)) => {
                if let Some(entries) = open.remove(&list) {
                    told.kept.0.insert(list, entries);
                }
            }
            // Whatever a damaged line said, no list is trusted for it.
            Err(_) => {
                open.clear();
                told.kept.0.clear();
            }
        }
    }
}
