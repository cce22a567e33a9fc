//! What a table says of each of its numbers, in memory.

/// Values by the number of their row. Numbers are given out one after the other, so mostly a
/// value stands where its number says, and nothing need be searched or hashed.
pub(super) struct Numbered<T>(Vec<(i64, T)>);

impl<T> Numbered<T> {
    /// Of rows in order of their numbers.
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds the next one.
    pub(super) fn push(&mut self, no: i64, value: T) {
        self.0.push((no, value));
    }

    /// Where the value of a number stands.
    pub(super) fn place(&self, no: i64) -> Option<usize> {
        let guess = usize::try_from(no).ok().and_then(|no| no.checked_sub(1));
        let is_it = |guess: &usize| self.0.get(*guess).is_some_and(|(known, _)| *known == no);
        if let Some(guess) = guess.filter(is_it) {
            return Some(guess);
        }
        self.0.binary_search_by_key(&no, |(known, _)| *known).ok()
    }

    pub(super) fn get(&self, no: i64) -> Option<&T> {
        self.at(self.place(no)?)
    }

    pub(super) fn get_mut(&mut self, no: i64) -> Option<&mut T> {
        let place = self.place(no)?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    /// The value that stands at a place.
    pub(super) fn at(&self, place: usize) -> Option<&T> {
        self.0.get(place).map(|(_, value)| value)
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(super) fn map<U>(self, mut value: impl FnMut(T) -> U) -> Numbered<U> {
        Numbered(self.0.into_iter().map(|(no, of)| (no, value(of))).collect())
    }

    pub(super) fn values(self) -> impl Iterator<Item = T> {
        self.0.into_iter().map(|(_, value)| value)
    }

    /// The number that stands at a place.
    pub(super) fn number(&self, place: usize) -> Option<i64> {
        self.0.get(place).map(|(no, _)| *no)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_with_and_without_gaps() {
        for numbers in [&[1, 2, 3][..], &[1, 4, 5, 9], &[2, 3], &[-7, 0, 1], &[]] {
            let mut numbered = Numbered::new();
            for no in numbers {
                numbered.push(*no, no * 10);
            }
            for no in -9..12 {
                let expected = numbers.contains(&no).then_some(no * 10);
                assert_eq!(numbered.get(no).copied(), expected, "{no} of {numbers:?}");
            }
        }
    }
}
