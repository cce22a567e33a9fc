//! How much of a list its answers are (design section 4, "Coverage"). Pure: page numbers, counts
//! and ids in, one outcome out.

use std::collections::BTreeMap;

use crate::model::Timestamp;
use crate::model::reading::{Gap, Outcome};

/// One request for a list, or for a page of it, and what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Try {
    /// The list was read a second time to see whether it stood still.
    pub(super) second_pass: bool,
    /// From 1.
    pub(super) page: u32,
    pub(super) at: Option<Timestamp>,
    /// The collector's clock and the service's were too far apart.
    pub(super) skewed: bool,
    pub(super) answer: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Status 200: rows, or an object.
    Rows {
        count: u64,
        /// Hashes of the rows' ids, sorted; only where passes must be compared.
        ids: Vec<u64>,
        flaw: Option<Gap>,
    },
    Error {
        status: u16,
        code: Option<String>,
    },
    /// Nothing came back, or nothing that may be used.
    Nothing,
}

/// What the tries for one list come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) outcome: Outcome,
    /// The oldest answer that counts.
    pub(super) at: Option<Timestamp>,
}

/// Judges all tries for one list, in the order they were made. `page_size` is 0 for what has no
/// pages; `asked` is what was wrong with the request itself.
pub(super) fn judge(tries: &[Try], page_size: u32, asked: Option<Gap>) -> Judged {
    if !tries.iter().any(|t| is_rows(&t.answer)) {
        return refused(tries);
    }
    let first = last_answers(tries, false);
    let second = last_answers(tries, true);
    let oldest = |tries: &mut dyn Iterator<Item = &Try>| tries.filter_map(|t| t.at).min();
    let shown = oldest(&mut tries.iter().filter(|t| is_rows(&t.answer)));
    let partial = |gap| Judged {
        outcome: Outcome::Partial(gap),
        at: shown,
    };
    let told = [flaw_of(&first), asked, shape_of(&first, page_size, tries)];
    if let Some(gap) = told.into_iter().flatten().next() {
        return partial(gap);
    }
    let several = page_size > 0 && pages_until_short(&first, page_size) > 1;
    if several {
        if flaw_of(&second).is_some() || shape_of(&second, page_size, &[]).is_some() {
            return partial(Gap::SecondPassMissing);
        }
        // One row on two pages: the list moved while it was read, or a page is not the one asked
        // for. Either way another row may be on none.
        if ids_of(&first) != ids_of(&second) || overlap(&first) || overlap(&second) {
            return partial(Gap::SecondPassDiffers);
        }
    }
    let mut used: Vec<&Try> = first.into_values().collect();
    if several {
        used.extend(second.into_values());
    }
    if used.iter().any(|t| t.skewed) {
        return partial(Gap::ClockSkew);
    }
    Judged {
        outcome: Outcome::Whole,
        at: oldest(&mut used.into_iter()),
    }
}

/// No try was answered with rows.
fn refused(tries: &[Try]) -> Judged {
    let Some(last) = tries.last() else {
        return Judged {
            outcome: Outcome::Partial(Gap::PageFailed),
            at: None,
        };
    };
    let outcome = match &last.answer {
        Answer::Error { status, code } => Outcome::Refused {
            status: *status,
            code: code.clone(),
            confirmed: tries.iter().filter(|t| t.answer == last.answer).count() > 1,
        },
        Answer::Rows { .. } | Answer::Nothing => Outcome::Partial(Gap::PageFailed),
    };
    Judged {
        outcome,
        at: last.at.or_else(|| tries.iter().filter_map(|t| t.at).max()),
    }
}

const fn is_rows(answer: &Answer) -> bool {
    matches!(answer, Answer::Rows { .. })
}

/// Per page of a pass, its last answer with status 200.
fn last_answers(tries: &[Try], second_pass: bool) -> BTreeMap<u32, &Try> {
    tries
        .iter()
        .filter(|t| t.second_pass == second_pass && is_rows(&t.answer))
        .map(|t| (t.page, t))
        .collect()
}

const fn count_of(answer: &Answer) -> u64 {
    match answer {
        Answer::Rows { count, .. } => *count,
        Answer::Error { .. } | Answer::Nothing => 0,
    }
}

/// The most telling flaw of any page: the one that says most about what to do.
fn flaw_of(pages: &BTreeMap<u32, &Try>) -> Option<Gap> {
    const TELLING: [Gap; 4] = [
        Gap::WrongOwner,
        Gap::FileMissing,
        Gap::BodyUnreadable,
        Gap::RowRejected,
    ];
    let flaws: Vec<Gap> = pages
        .values()
        .filter_map(|t| match &t.answer {
            Answer::Rows { flaw, .. } => *flaw,
            Answer::Error { .. } | Answer::Nothing => None,
        })
        .collect();
    TELLING
        .into_iter()
        .find(|gap| flaws.contains(gap))
        .or_else(|| flaws.first().copied())
}

/// Whether the pages are there from 1 to n and the last is not full.
fn shape_of(pages: &BTreeMap<u32, &Try>, page_size: u32, tries: &[Try]) -> Option<Gap> {
    if page_size == 0 {
        return pages.is_empty().then_some(Gap::PageMissing);
    }
    let failed = tries
        .iter()
        .any(|t| !t.second_pass && !is_rows(&t.answer) && !pages.contains_key(&t.page));
    if failed {
        return Some(Gap::PageFailed);
    }
    let contiguous = pages.keys().zip(1_u32..).all(|(&page, n)| page == n);
    if pages.is_empty() || !contiguous {
        return Some(Gap::PageMissing);
    }
    let mut short_seen = false;
    for page in pages.values() {
        let count = count_of(&page.answer);
        // Rows behind a short page: the pages are not cut from one list.
        if short_seen && count > 0 {
            return Some(Gap::PageMissing);
        }
        short_seen |= count < u64::from(page_size);
    }
    (!short_seen).then_some(Gap::LastPageFull)
}

/// Pages up to the first that is not full: a list that fits in one cannot shift between pages.
fn pages_until_short(pages: &BTreeMap<u32, &Try>, page_size: u32) -> usize {
    let full = pages
        .values()
        .take_while(|t| count_of(&t.answer) >= u64::from(page_size))
        .count();
    full + 1
}

fn ids_of(pages: &BTreeMap<u32, &Try>) -> Vec<u64> {
    let mut all: Vec<u64> = Vec::new();
    for page in pages.values() {
        if let Answer::Rows { ids, .. } = &page.answer {
            all.extend(ids);
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn overlap(pages: &BTreeMap<u32, &Try>) -> bool {
    let rows: u64 = pages.values().map(|t| count_of(&t.answer)).sum();
    (ids_of(pages).len() as u64) < rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Option<Timestamp> {
        Timestamp::from_unix(1_793_491_200 + 60 * minute)
    }

    fn rows(page: u32, ids: &[u64]) -> Try {
        Try {
            second_pass: false,
            page,
            at: at(i64::from(page)),
            skewed: false,
            answer: Answer::Rows {
                count: ids.len() as u64,
                ids: ids.to_vec(),
                flaw: None,
            },
        }
    }

    fn again(page: u32, ids: &[u64]) -> Try {
        Try {
            second_pass: true,
            at: at(10 + i64::from(page)),
            ..rows(page, ids)
        }
    }

    fn error(page: u32, status: u16, code: &str) -> Try {
        Try {
            answer: Answer::Error {
                status,
                code: Some(code.to_owned()),
            },
            ..rows(page, &[])
        }
    }

    fn flawed(gap: Gap, mut page: Try) -> Try {
        if let Answer::Rows { flaw, .. } = &mut page.answer {
            *flaw = Some(gap);
        }
        page
    }

    fn nothing(page: u32) -> Try {
        Try {
            answer: Answer::Nothing,
            ..rows(page, &[])
        }
    }

    #[test]
    fn pages_come_to_a_whole_or_a_gap() {
        use Gap::*;
        let whole = None;
        // Pages hold three rows.
        let table: Vec<(&str, Vec<Try>, Option<Gap>)> = vec![
            ("one short page", vec![rows(1, &[1, 2])], whole),
            ("an empty list", vec![rows(1, &[])], whole),
            ("a full page", vec![rows(1, &[1, 2, 3])], Some(LastPageFull)),
            (
                "more rows than fit",
                vec![rows(1, &[1, 2, 3, 4])],
                Some(LastPageFull),
            ),
            (
                "two pages, read once",
                vec![rows(1, &[1, 2, 3]), rows(2, &[4])],
                Some(SecondPassMissing),
            ),
            (
                "two pages, read twice",
                vec![
                    rows(1, &[1, 2, 3]),
                    rows(2, &[4]),
                    again(1, &[4, 3, 2]),
                    again(2, &[1]),
                ],
                whole,
            ),
            (
                "two passes that differ",
                vec![
                    rows(1, &[1, 2, 3]),
                    rows(2, &[4]),
                    again(1, &[1, 2, 3]),
                    again(2, &[5]),
                ],
                Some(SecondPassDiffers),
            ),
            (
                "a page that shows rows of another",
                vec![
                    rows(1, &[1, 2, 3]),
                    rows(2, &[1, 2, 3]),
                    rows(3, &[4]),
                    again(1, &[1, 2, 3]),
                    again(2, &[1, 2, 3]),
                    again(3, &[4]),
                ],
                Some(SecondPassDiffers),
            ),
            (
                "a second pass that shows less",
                vec![rows(1, &[1, 2, 3]), rows(2, &[4]), again(1, &[1, 2])],
                Some(SecondPassDiffers),
            ),
            (
                "a second pass cut short",
                vec![rows(1, &[1, 2, 3]), rows(2, &[4]), again(1, &[1, 2, 3])],
                Some(SecondPassMissing),
            ),
            (
                "a damaged second pass",
                vec![
                    rows(1, &[1, 2, 3]),
                    rows(2, &[4]),
                    again(1, &[1, 2, 3]),
                    flawed(RowRejected, again(2, &[4])),
                ],
                Some(SecondPassMissing),
            ),
            (
                "a full page and an empty one",
                vec![rows(1, &[1, 2, 3]), rows(2, &[])],
                Some(SecondPassMissing),
            ),
            (
                "a short page and an empty one",
                vec![rows(1, &[1]), rows(2, &[])],
                whole,
            ),
            (
                "rows behind a short page",
                vec![rows(1, &[1]), rows(2, &[2])],
                Some(PageMissing),
            ),
            ("no first page", vec![rows(2, &[1])], Some(PageMissing)),
            (
                "a hole",
                vec![rows(1, &[1, 2, 3]), rows(3, &[4])],
                Some(PageMissing),
            ),
            (
                "only a second pass",
                vec![again(1, &[1])],
                Some(PageMissing),
            ),
            (
                "a page that failed",
                vec![rows(1, &[1, 2, 3]), error(2, 500, "X")],
                Some(PageFailed),
            ),
            (
                "a page that did not come",
                vec![rows(1, &[1, 2, 3]), nothing(2)],
                Some(PageFailed),
            ),
            (
                "a retried page",
                vec![error(1, 429, "X"), rows(1, &[1])],
                whole,
            ),
            (
                "an error behind the answer",
                vec![rows(1, &[1]), error(1, 500, "X")],
                whole,
            ),
            (
                "a damaged first try",
                vec![flawed(BodyUnreadable, rows(1, &[])), rows(1, &[1])],
                whole,
            ),
            (
                "a rejected row",
                vec![flawed(RowRejected, rows(1, &[1]))],
                Some(RowRejected),
            ),
            (
                "the most telling of two",
                vec![
                    flawed(RowRejected, rows(1, &[1, 2, 3])),
                    flawed(WrongOwner, rows(2, &[])),
                ],
                Some(WrongOwner),
            ),
            (
                "a skewed clock",
                vec![Try {
                    skewed: true,
                    ..rows(1, &[1])
                }],
                Some(ClockSkew),
            ),
            (
                "pass one refused, pass two answered",
                vec![error(1, 404, "X"), again(1, &[1])],
                Some(PageFailed),
            ),
        ];
        for (name, tries, gap) in table {
            let expected = gap.map_or(Outcome::Whole, Outcome::Partial);
            assert_eq!(judge(&tries, 3, None).outcome, expected, "{name}");
        }
    }

    #[test]
    fn errors_are_refusals_and_said_twice_are_confirmed() {
        let refused = |status, code: &str, confirmed| Outcome::Refused {
            status,
            code: Some(code.to_owned()),
            confirmed,
        };
        let second = |t: Try| Try {
            second_pass: true,
            ..t
        };
        let table = [
            (vec![error(1, 404, "A")], refused(404, "A", false)),
            (
                vec![error(1, 404, "A"), error(1, 404, "A")],
                refused(404, "A", true),
            ),
            (
                vec![error(1, 404, "A"), second(error(1, 404, "A"))],
                refused(404, "A", true),
            ),
            (
                vec![error(1, 404, "A"), error(1, 404, "B")],
                refused(404, "B", false),
            ),
            (
                vec![error(1, 400, "A"), error(1, 404, "A")],
                refused(404, "A", false),
            ),
            (
                vec![error(1, 404, "A"), nothing(1)],
                Outcome::Partial(Gap::PageFailed),
            ),
            (vec![nothing(1)], Outcome::Partial(Gap::PageFailed)),
        ];
        for (tries, expected) in table {
            assert_eq!(judge(&tries, 100, None).outcome, expected, "{tries:?}");
        }
    }

    #[test]
    fn a_list_is_as_old_as_its_oldest_page() {
        let pages = [
            rows(1, &[1, 2, 3]),
            rows(2, &[]),
            again(1, &[1, 2, 3]),
            again(2, &[]),
        ];
        assert_eq!(
            judge(&pages, 3, None),
            Judged {
                outcome: Outcome::Whole,
                at: at(1)
            }
        );
        // A page that was read again counts with its last answer.
        let mut newer = rows(1, &[1]);
        newer.at = at(5);
        let retried = judge(&[rows(1, &[1]), newer], 3, None);
        assert_eq!((retried.outcome, retried.at), (Outcome::Whole, at(5)));
    }

    #[test]
    fn what_was_asked_counts_and_what_has_no_pages_is_whole_when_answered() {
        let filtered = judge(&[rows(1, &[1])], 3, Some(Gap::Filtered));
        assert_eq!(filtered.outcome, Outcome::Partial(Gap::Filtered));
        let many: Vec<u64> = (0..700).collect();
        assert_eq!(judge(&[rows(1, &many)], 0, None).outcome, Outcome::Whole);
        assert_eq!(
            judge(&[again(1, &many)], 0, None).outcome,
            Outcome::Partial(Gap::PageMissing)
        );
    }
}
