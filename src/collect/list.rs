//! How one list is read: which page is asked for next, and how much of the list its answers are.
//! Pure: answers in, the next turn or a verdict out; the same for answers of the network and for
//! those that a stopped run kept.

use super::body::{Body, Facts, Rows};
use super::journal::Entry;
use super::request::{Extent, Kind, List, PAGE_SIZE};
use crate::http::refusal;

/// No list is read further: a million rows of one cluster are more than a service that is in its
/// right mind gives.
const MOST_PAGES: u32 = 2_000;

/// What to ask for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// From 1; `None` where there are no pages.
    pub(super) page: Option<u32>,
    /// 1, or 2 where the list is read again to see whether it stood still.
    pub(super) pass: u8,
}

/// What came of a turn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// An answer with its status.
    Answer(u16, Body),
    /// No answer, or none that can be used, and why.
    Nothing(String),
}

/// How much of a list its answers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Whole,
    /// The first page was refused. `confirmed`: a second try said the same.
    Refused {
        status: u16,
        code: Option<String>,
        confirmed: bool,
    },
    /// Some of it, or nothing, and why.
    Cut(String),
}

impl Verdict {
    /// For a message: how the list was answered.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Whole => "was read whole".to_owned(),
            Self::Refused { status, code, .. } => refusal(*status, code.as_deref()),
            Self::Cut(why) => why.clone(),
        }
    }

    pub(super) fn is_refused_with(&self, expected: u16, word: &str) -> bool {
        matches!(self, Self::Refused { status, code, .. }
            if *status == expected && code.as_deref() == Some(word))
    }

    /// Whether asking again later could not help: kept by a stopped run, it stands.
    pub(super) fn is_settled(&self, kind: Kind) -> bool {
        match self {
            Self::Whole => true,
            Self::Refused { status, .. } => match status {
                400 | 404 | 406 | 410 => true,
                401 | 403 => kind.needs_more_rights(),
                _ => false,
            },
            Self::Cut(_) => false,
        }
    }
}

/// A list that has been read.
#[derive(Clone, Debug)]
pub(super) struct ListRead {
    pub(super) entries: Vec<Entry>,
    pub(super) facts: Facts,
    pub(super) verdict: Verdict,
    /// Asked for in this run, not kept by a stopped one.
    pub(super) asked: bool,
}

/// A list that is being read.
pub(super) struct Reader<'l> {
    list: &'l List,
    turn: Turn,
    entries: Vec<Entry>,
    facts: Facts,
    verdict: Option<Verdict>,
    /// What the first try at a snapshot list was refused with.
    refused: Option<(u16, Option<String>)>,
    /// Rows that nobody could ask about, or that are no rows.
    unusable: u32,
    first: Pass,
    second: Pass,
}

/// The rows of one pass.
#[derive(Default)]
struct Pass {
    ids: Vec<u64>,
    /// The ids of the page before, in order.
    before: Option<Vec<u64>>,
    /// A page was short and yet said that another follows.
    short: bool,
    /// A page behind a short one had rows.
    torn: bool,
}

impl<'l> Reader<'l> {
    pub(super) fn new(list: &'l List) -> Self {
        let page = (list.kind.extent() == Extent::Paged).then_some(1);
        Self {
            list,
            turn: Turn { page, pass: 1 },
            entries: Vec::new(),
            facts: Facts::default(),
            verdict: None,
            refused: None,
            unusable: 0,
            first: Pass::default(),
            second: Pass::default(),
        }
    }

    /// What to ask for next; `None` when the list is read.
    pub(super) fn next(&self) -> Option<Turn> {
        self.verdict.is_none().then_some(self.turn)
    }

    /// Takes in what came of the turn.
    pub(super) fn take(&mut self, entry: Entry, heard: Heard) {
        self.entries.push(entry);
        match heard {
            Heard::Nothing(why) => self.cut(&why),
            Heard::Answer(_, Body::Rows(rows)) => self.rows(rows),
            Heard::Answer(_, Body::Object(facts)) => {
                self.facts.add(facts);
                self.verdict = Some(Verdict::Whole);
            }
            Heard::Answer(
                status,
                Body::Error {
                    status: stated,
                    code,
                },
            ) => {
                self.error(
                    if status == 200 {
                        stated.unwrap_or(0)
                    } else {
                        status
                    },
                    code,
                );
            }
            Heard::Answer(status, Body::Other(why)) => {
                self.cut(&format!("answered {status}, and the answer {why}"));
            }
        }
    }

    /// The list as it was read; `asked` in this run.
    pub(super) fn finish(self, asked: bool) -> ListRead {
        let skewed = self.entries.iter().any(Entry::is_skewed);
        let verdict = match self.verdict {
            Some(Verdict::Whole) if skewed => Verdict::Cut(
                "was answered more than five minutes away from this machine's clock (`clock-skew`)"
                    .to_owned(),
            ),
            Some(Verdict::Whole) if self.unusable > 0 => {
                Verdict::Cut(format!("has {} rows that cannot be used", self.unusable))
            }
            Some(verdict) => verdict,
            None => Verdict::Cut("was not read to its end".to_owned()),
        };
        ListRead {
            entries: self.entries,
            facts: self.facts,
            verdict,
            asked,
        }
    }

    fn cut(&mut self, why: &str) {
        let page = match self.turn {
            Turn {
                page: Some(page),
                pass: 1,
            } if page > 1 => format!("page {page}: "),
            Turn {
                page: Some(page),
                pass: 2,
            } => format!("second pass, page {page}: "),
            Turn { .. } => String::new(),
        };
        self.verdict = Some(Verdict::Cut(format!("{page}{why}")));
    }

    fn error(&mut self, status: u16, code: Option<String>) {
        let is_first = self.turn.pass == 1 && self.turn.page.is_none_or(|page| page == 1);
        if !is_first {
            self.cut(&refusal(status, code.as_deref()));
            return;
        }
        // "No snapshots here" must be said twice (design section 4, "Coverage").
        let again = matches!(status, 400 | 404)
            && matches!(self.list.kind, Kind::Snapshots | Kind::ShardedSnapshots);
        let now = (status, code);
        if again && self.refused.is_none() {
            self.refused = Some(now);
            return;
        }
        let confirmed = self.refused.as_ref() == Some(&now);
        let (status, code) = now;
        self.verdict = Some(Verdict::Refused {
            status,
            code,
            confirmed,
        });
    }

    fn rows(&mut self, rows: Rows) {
        let Rows {
            count,
            ids,
            unusable,
            next,
            facts,
        } = rows;
        self.unusable = self.unusable.saturating_add(unusable);
        // The second pass shows the same clusters and projects again.
        let second = self.turn.pass == 2;
        if !second || facts.clusters.is_empty() && facts.projects.is_empty() {
            self.facts.add(facts);
        }
        let Some(page) = self.turn.page else {
            self.verdict = Some(Verdict::Whole);
            return;
        };
        let pass = if second {
            &mut self.second
        } else {
            &mut self.first
        };
        pass.torn |= pass.short && count > 0;
        let full = count >= PAGE_SIZE;
        let repeats = count > 0 && pass.before.as_ref() == Some(&ids);
        pass.ids.extend_from_slice(&ids);
        pass.before = Some(ids);
        if repeats {
            self.cut("is the same as the page before: the service does not page");
            return;
        }
        // A short page ends a list. One that says that another follows may be a page of a service
        // that gives fewer rows than it was asked for: then there are rows behind it.
        let follows = full || pass.torn && count > 0 || next && !pass.short;
        pass.short |= !full;
        if !follows {
            self.end_of_pass();
        } else if page < MOST_PAGES {
            self.turn.page = Some(page.saturating_add(1));
        } else {
            self.cut(&format!("the list does not end after {MOST_PAGES} pages"));
        }
    }

    fn end_of_pass(&mut self) {
        // The first page was full, so the list may have shifted between pages.
        let several = self.first.ids.len() >= PAGE_SIZE as usize;
        if self.first.torn || self.second.torn {
            self.verdict = Some(Verdict::Cut(
                "has rows behind a page that was not full: the service gives fewer than it is asked for"
                    .to_owned(),
            ));
        } else if self.turn.pass == 1 && several {
            self.turn = Turn {
                page: Some(1),
                pass: 2,
            };
        } else if self.turn.pass == 2 && !self.stood_still() {
            self.verdict = Some(Verdict::Cut(
                "moved while it was read: two passes show different rows".to_owned(),
            ));
        } else {
            self.verdict = Some(Verdict::Whole);
        }
    }

    /// Both passes show the same ids, and none of them twice.
    fn stood_still(&mut self) -> bool {
        let sorted = |ids: &mut Vec<u64>| {
            let rows = ids.len();
            ids.sort_unstable();
            ids.dedup();
            rows == ids.len()
        };
        let unique = sorted(&mut self.first.ids) & sorted(&mut self.second.ids);
        unique && self.first.ids == self.second.ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_an_end_is_given_up() {
        let list = List::of_cluster(Kind::Snapshots, "p", "c");
        let mut reader = Reader::new(&list);
        let mut asked = 0_u64;
        while let Some(turn) = reader.next() {
            let from = asked * u64::from(PAGE_SIZE);
            asked += 1;
            assert_eq!(turn.page.map(u64::from), Some(asked));
            let rows = Rows {
                count: PAGE_SIZE,
                ids: (from..from + u64::from(PAGE_SIZE)).collect(),
                ..Rows::default()
            };
            let entry = Entry {
                list: list.path.clone(),
                page: turn.page,
                pass: turn.pass,
                accept: list.kind.accept().into(),
                status: Some(200),
                at: None,
                local_at: String::new(),
                file: None,
                failure: None,
            };
            reader.take(entry, Heard::Answer(200, Body::Rows(rows)));
        }
        let told = "page 2000: the list does not end after 2000 pages";
        assert_eq!(reader.finish(true).verdict, Verdict::Cut(told.to_owned()));
    }
}
