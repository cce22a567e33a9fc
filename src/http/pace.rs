//! How fast one root is asked: a bound over all requests, and pauses for a project whose calls
//! are used up. Atlas counts calls for each project and set of endpoints
//! (<https://www.mongodb.com/docs/atlas/api/api-rate-limit/>); here all of a project pauses.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

pub(super) struct Pace {
    in_flight: Semaphore,
    /// When a project may be asked again.
    paused: Mutex<HashMap<String, Instant>>,
}

impl Pace {
    pub(super) fn new(in_flight: NonZeroUsize) -> Self {
        Self {
            in_flight: Semaphore::new(in_flight.get().min(Semaphore::MAX_PERMITS)),
            paused: Mutex::default(),
        }
    }

    /// Waits for a turn; it lasts as long as the permit. `None` cannot happen: nobody closes the
    /// semaphore.
    pub(super) async fn turn(&self, project: &str) -> Option<SemaphorePermit<'_>> {
        loop {
            if let Some(until) = self.pause_of(project) {
                tokio::time::sleep_until(until).await;
            }
            let permit = self.in_flight.acquire().await.ok();
            // A pause may have begun while this request was waiting for the others.
            if self.pause_of(project).is_none() {
                return permit;
            }
        }
    }

    /// Leaves a project alone for a while.
    pub(super) fn pause(&self, project: &str, length: Duration) {
        let Some(until) = Instant::now().checked_add(length) else {
            return;
        };
        let mut paused = self.paused();
        let known = paused.entry(project.to_owned()).or_insert(until);
        *known = until.max(*known);
    }

    fn pause_of(&self, project: &str) -> Option<Instant> {
        let mut paused = self.paused();
        let until = *paused.get(project)?;
        if until <= Instant::now() {
            paused.remove(project);
            return None;
        }
        Some(until)
    }

    fn paused(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose calls a path uses up: the project in it, or the empty name for what is above projects.
pub(super) fn project_of(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or_default();
    let mut segments = path.split('/');
    match segments.find(|segment| *segment == "groups") {
        Some(_) => segments.next().unwrap_or_default(),
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn no_more_are_under_way_than_may_be() {
        let pace = Pace::new(NonZeroUsize::new(2).unwrap());
        let first = pace.turn("a").await;
        let second = pace.turn("b").await;
        let mut third = pin!(pace.turn("c"));
        assert!(poll!(&mut third).is_pending());
        drop(first);
        assert!(poll!(&mut third).is_ready());
        drop(second);
    }

    #[tokio::test]
    async fn a_pause_is_for_one_project_and_takes_nobodys_turn() {
        let pace = Pace::new(NonZeroUsize::MIN);
        pace.pause("a", Duration::from_secs(3600));
        // A shorter one does not end it.
        pace.pause("a", Duration::ZERO);
        let mut paused = pin!(pace.turn("a"));
        assert!(poll!(&mut paused).is_pending());
        let turn = pace.turn("b").await;

        // A pause that begins while somebody waits for a turn holds for them too.
        let mut waiting = pin!(pace.turn("c"));
        assert!(poll!(&mut waiting).is_pending());
        pace.pause("c", Duration::from_secs(3600));
        drop(turn);
        assert!(poll!(&mut waiting).is_pending());
        assert!(poll!(pin!(pace.turn("b"))).is_ready());
        // More than any clock can hold is no pause, and no panic.
        pace.pause("d", Duration::MAX);
    }

    #[test]
    fn calls_are_counted_for_the_project_in_the_path() {
        let table = [
            ("/api/atlas/v2/groups?pageNum=1", ""),
            ("/api/atlas/v2/orgs/6501/groups?pageNum=1", ""),
            ("/api/atlas/v2/groups/65f0/clusters?a=/groups/66f0", "65f0"),
            ("/api/public/v1.0/groups/65f0", "65f0"),
            ("/api/atlas/v2/orgs", ""),
            ("", ""),
        ];
        for (path, project) in table {
            assert_eq!(project_of(path), project, "{path}");
        }
    }
}
