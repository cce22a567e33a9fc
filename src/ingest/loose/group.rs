//! The lists that the records of a loose file belong to, and whether one of them may be taken
//! for whole because the user said so.

use std::collections::BTreeSet;

use crate::ingest::kind::Kind;
use crate::ingest::path::{DEFAULT_PAGE, LARGEST_PAGE};
use crate::ingest::rows::empty_content;
use crate::model::Timestamp;
use crate::model::reading::{Content, Gap, Outcome};

/// Which list a record belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ingest) struct GroupKey {
    pub(super) kind: Kind,
    pub(super) project: Option<String>,
    pub(super) cluster: Option<String>,
}

/// A list that was said to be whole: base URL and which.
pub(in crate::ingest) type ListGiven = (String, GroupKey);

/// One list of a loose file.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) content: Content,
    since: Option<Timestamp>,
    filtered: bool,
    /// Records in all, and those that stood on their own.
    count: usize,
    alone: usize,
    /// The array or page that is being read belongs to it, with that many records so far.
    open: Option<usize>,
    containers: Vec<Container>,
}

#[derive(Debug)]
struct Container {
    count: usize,
    /// Page number and size, where its `self` link gives them.
    numbered: Option<(u32, u32)>,
    next: bool,
}

impl Group {
    pub(super) fn new(kind: Kind, since: Option<Timestamp>) -> Self {
        Self {
            content: empty_content(kind, since),
            since,
            filtered: false,
            count: 0,
            alone: 0,
            open: None,
            containers: Vec::new(),
        }
    }

    /// The container that is being read is one of this list, even if it is empty.
    pub(super) fn open(&mut self) {
        self.open.get_or_insert(0);
    }

    /// Counts in a record.
    pub(super) fn add(&mut self, in_list: bool, filtered: bool, since: Option<Timestamp>) {
        // Two stretches of events are no single list.
        self.filtered |= filtered || since != self.since;
        self.count += 1;
        if in_list {
            *self.open.get_or_insert(0) += 1;
        } else {
            self.alone += 1;
        }
    }

    pub(super) fn end_container(&mut self, numbered: Option<(u32, u32)>, next: bool) {
        if let Some(count) = self.open.take() {
            self.containers.push(Container {
                count,
                numbered,
                next,
            });
        }
    }

    /// Stands for a list that was counted elsewhere.
    pub(super) fn count_all(&mut self, count: usize) {
        self.count = count;
        self.open = Some(count);
        self.end_container(None, false);
    }

    /// What the list is, given that the user said it is whole. The error says why that cannot be
    /// believed (design section 4, `--complete`).
    pub(super) fn outcome(&self) -> Result<Outcome, String> {
        if self.filtered {
            return Ok(Outcome::Partial(Gap::Filtered));
        }
        if self.containers.is_empty() && self.alone == 1 {
            return Ok(Outcome::Partial(Gap::SingleObject));
        }
        let full = |count: usize| {
            [DEFAULT_PAGE, LARGEST_PAGE]
                .into_iter()
                .any(|size| usize::try_from(size) == Ok(count))
        };
        let refuse_full = |count: usize| {
            Err(format!(
                "has exactly {count} results, which is a full page: there may be more"
            ))
        };
        if full(self.count) {
            return refuse_full(self.count);
        }
        if let Some(last) = self.containers.last() {
            let own_size = last.numbered.map(|(_, size)| size);
            let own_full = own_size.is_some_and(|size| usize::try_from(size) == Ok(last.count));
            if full(last.count) || (own_full && last.count > 0) {
                return refuse_full(last.count);
            }
            if last.next {
                return Err("says itself that there is a next page".to_owned());
            }
        }
        let numbers: BTreeSet<u32> = self
            .containers
            .iter()
            .filter_map(|container| container.numbered.map(|(page, _)| page))
            .collect();
        if let Some((_, missing)) = numbers.iter().zip(1_u32..).find(|(page, n)| *page != n) {
            return Err(format!("lacks its page {missing}"));
        }
        Ok(Outcome::Whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Page = (Option<(u32, u32)>, usize, bool);

    /// Pages as (number and size, rows, next); `None` counts records that stand alone.
    fn outcome(pages: &[Page], alone: usize) -> Result<Outcome, String> {
        let mut group = Group::new(Kind::Snapshots, None);
        for (numbered, rows, next) in pages {
            group.open();
            (0..*rows).for_each(|_| group.add(true, false, None));
            group.end_container(*numbered, *next);
        }
        (0..alone).for_each(|_| group.add(false, false, None));
        group.outcome()
    }

    #[test]
    fn a_list_is_whole_only_if_that_can_be_believed() {
        let whole = Ok(Outcome::Whole);
        let table: Vec<(&[Page], usize, Result<Outcome, &str>)> = vec![
            (&[(None, 3, false)], 0, whole),
            (&[(None, 0, false)], 0, Ok(Outcome::Whole)),
            (&[], 2, Ok(Outcome::Whole)),
            (&[], 1, Ok(Outcome::Partial(Gap::SingleObject))),
            (&[(None, 1, false)], 0, Ok(Outcome::Whole)),
            (&[(None, 100, false)], 0, Err("exactly 100")),
            (&[(None, 500, false)], 0, Err("exactly 500")),
            (
                &[(None, 99, false), (None, 1, false)],
                0,
                Err("exactly 100"),
            ),
            (&[], 500, Err("exactly 500")),
            (
                &[(None, 60, false), (None, 100, false)],
                0,
                Err("exactly 100"),
            ),
            (
                &[(None, 100, false), (None, 60, false)],
                0,
                Ok(Outcome::Whole),
            ),
            (&[(Some((1, 50)), 50, false)], 0, Err("exactly 50")),
            (
                &[(Some((1, 50)), 50, true), (Some((2, 50)), 3, false)],
                0,
                Ok(Outcome::Whole),
            ),
            (&[(Some((2, 50)), 3, false)], 0, Err("lacks its page 1")),
            (
                &[(Some((1, 50)), 50, true), (Some((3, 50)), 3, false)],
                0,
                Err("lacks its page 2"),
            ),
            (&[(Some((1, 50)), 3, true)], 0, Err("next page")),
        ];
        for (pages, alone, expected) in table {
            match (outcome(pages, alone), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{pages:?}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, _) => panic!("{pages:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_filter_anywhere_is_a_filter() {
        let since = Timestamp::from_unix(0);
        let mut group = Group::new(Kind::Events, since);
        group.add(true, false, since);
        group.add(true, false, None);
        assert_eq!(group.outcome(), Ok(Outcome::Partial(Gap::Filtered)));
    }
}
