//! What an identity consists of, in one text that its copies share: the same ten thousand keys
//! stand in settings, answers, families and reports.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// `N` texts, compared one after the other.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Parts<const N: usize> {
    /// One behind the other.
    text: Arc<str>,
    /// Where each ends in it, in bytes.
    ends: [u16; N],
}

impl<const N: usize> Parts<N> {
    /// `None` for 64 KiB and more: no id is as long ([`super::MAX_LEN`]).
    pub(super) fn of(parts: [&str; N]) -> Option<Self> {
        let mut ends = [0; N];
        let mut length = 0;
        for (end, part) in ends.iter_mut().zip(parts) {
            length += part.len();
            *end = u16::try_from(length).ok()?;
        }
        let text = Arc::from(parts.concat());
        Some(Self { text, ends })
    }

    /// Empty if there is no such part.
    pub(super) fn get(&self, no: usize) -> &str {
        let end_of = |no: usize| self.ends.get(no).copied().map(usize::from);
        let start = no.checked_sub(1).and_then(end_of).unwrap_or_default();
        let end = end_of(no).unwrap_or(start);
        self.text.get(start..end).unwrap_or_default()
    }

    fn all(&self) -> [&str; N] {
        std::array::from_fn(|no| self.get(no))
    }
}

impl<const N: usize> Ord for Parts<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.all().cmp(&other.all())
    }
}

impl<const N: usize> PartialOrd for Parts<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> fmt::Debug for Parts<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_and_ordered_as_texts_are() {
        let texts = ["", "a", "a-b", "ab", "b", "é"];
        let pairs = || {
            texts
                .iter()
                .flat_map(|a| texts.iter().map(move |b| [*a, *b]))
        };
        for one in pairs() {
            let parts = Parts::of(one).unwrap();
            assert_eq!(parts.all(), one);
            for other in pairs() {
                let others = Parts::of(other).unwrap();
                assert_eq!(parts == others, one == other, "{one:?} {other:?}");
                assert_eq!(parts.cmp(&others), one.cmp(&other), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_is_too_long_for_an_id_is_none() {
        let half = "x".repeat(usize::from(u16::MAX) / 2);
        assert!(Parts::of([half.as_str(), half.as_str()]).is_some());
        assert_eq!(Parts::of([half.as_str(), half.as_str(), "xx"]), None);
    }
}
