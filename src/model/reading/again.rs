//! What was read again and says the same: what is left of the earlier reading.

use std::sync::Arc;

use super::{Content, Reading};

/// What is left of a reading once a later one says the same. It follows from what the rules ask for:
/// when a list, a schedule or a job was last so (design section 4, "Coverage"), every schedule that ever
/// was (6.2, `snapshot-copy` and `pit-window`), and the last list before a snapshot without an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// It counts like any other.
    Count,
    /// Only its time does.
    Times,
    /// Nothing.
    Nothing,
}

impl Content {
    /// What the rules still make of a reading when the same was read again later.
    pub const fn earlier(&self) -> Earlier {
        match self {
            // Between which of them something was made, or turned up, tells under which key it was.
            Self::Projects(_)
            | Self::Project
            | Self::Clusters { .. }
            | Self::SharedClusters(_)
            | Self::Settings(_)
            | Self::Events { .. }
            | Self::Inventory(_) => Earlier::Count,
            // What a list does not show yet was made since.
            Self::Snapshots | Self::ShardedSnapshots | Self::SharedSnapshots => Earlier::Times,
            // What was ever said counts, and when it was last.
            Self::Schedule(_) | Self::RestoreJobs(_) | Self::CompliancePolicy(_) => {
                Earlier::Nothing
            }
        }
    }
}

impl Reading {
    /// Takes the place of an earlier reading that says the same, where the two are worth no more
    /// than one; whether it did. A list that never changes is read every night.
    pub fn supersedes(&mut self, earlier: &mut Self) -> bool {
        let Self {
            root,
            project,
            cluster,
            at,
            run: _,
            identity,
            outcome,
            content,
            before,
        } = self;
        let keeps_times = match content.earlier() {
            Earlier::Count => return false,
            Earlier::Times => true,
            Earlier::Nothing => false,
        };
        let same = (&*root, &*project, &*cluster, &*identity, &*outcome)
            == (
                &earlier.root,
                &earlier.project,
                &earlier.cluster,
                &earlier.identity,
                &earlier.outcome,
            )
            && (Arc::ptr_eq(content, &earlier.content) || *content == earlier.content);
        if !same || earlier.at > *at {
            return false;
        }
        if keeps_times {
            // The longer one first: it grows every night.
            let mut times = std::mem::take(&mut earlier.before);
            times.push(earlier.at);
            times.append(before);
            times.sort_unstable();
            times.dedup();
            times.retain(|time| time != at);
            *before = times;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::model::reading::{Gap, Outcome, RootId, Schedule, Scope, Source};

    fn at(unix: i64) -> Timestamp {
        Timestamp::from_unix(unix).unwrap()
    }

    fn read_at(unix: i64, content: Content) -> Reading {
        Reading {
            root: Arc::new(RootId {
                source: Source::Atlas,
                base_url: String::from("https://atlas.example"),
                scope: Scope::AllVisible,
            }),
            project: Some(Arc::from("p")),
            cluster: Some(Arc::from("c")),
            at: at(unix),
            run: Arc::from(unix.to_string()),
            identity: None,
            outcome: Outcome::Whole,
            content: Arc::new(content),
            before: Vec::new(),
        }
    }

    fn schedule(days: u32) -> Content {
        Content::Schedule(Schedule {
            restore_window_days: Some(days),
            extra_retention: Vec::new(),
            copies: Vec::new(),
        })
    }

    #[test]
    fn a_snapshot_list_leaves_its_times() {
        let mut list = read_at(1, Content::Snapshots);
        for unix in [2, 2, 4, 9] {
            let mut newer = read_at(unix, Content::Snapshots);
            assert!(newer.supersedes(&mut list), "{unix}");
            list = newer;
        }
        assert_eq!((list.at, &*list.run), (at(9), "9"));
        assert_eq!(list.before, [at(1), at(2), at(4)]);
        // In whatever order they come.
        let mut other = read_at(3, Content::Snapshots);
        assert!(list.supersedes(&mut other));
        assert_eq!(list.before, [at(1), at(2), at(3), at(4)]);
    }

    #[test]
    fn a_schedule_leaves_nothing() {
        let mut newer = read_at(2, schedule(7));
        assert!(newer.supersedes(&mut read_at(1, schedule(7))));
        assert_eq!(newer.before, []);
    }

    #[test]
    fn only_what_says_the_same_and_is_no_later_is_superseded() {
        let stays = |newer: Reading, mut earlier: Reading| {
            let mut changed = newer.clone();
            assert!(!changed.supersedes(&mut earlier), "{earlier:?}");
            assert_eq!(changed, newer);
        };
        let newer = || read_at(5, Content::Snapshots);
        let earlier = || read_at(4, Content::Snapshots);
        stays(read_at(5, schedule(7)), read_at(4, schedule(8)));
        stays(newer(), read_at(6, Content::Snapshots));
        stays(newer(), read_at(4, Content::ShardedSnapshots));
        for kind in [
            Content::Project,
            Content::Projects(Vec::new()),
            Content::SharedClusters(Vec::new()),
            Content::Settings(Vec::new()),
            Content::Inventory(Vec::new()),
        ] {
            stays(read_at(5, kind.clone()), read_at(4, kind));
        }
        let mut other = earlier();
        other.outcome = Outcome::Partial(Gap::PageFailed);
        stays(newer(), other);
        let mut other = earlier();
        other.cluster = Some(Arc::from("d"));
        stays(newer(), other);
        let mut other = earlier();
        other.identity = Some(Arc::from("i"));
        stays(newer(), other);
        let mut other = earlier();
        other.project = None;
        stays(newer(), other);
        let mut other = earlier();
        Arc::make_mut(&mut other.root).source = Source::Files;
        stays(newer(), other);
    }
}
