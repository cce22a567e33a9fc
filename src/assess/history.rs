//! Which keys were a project's, from when to when: evidence of each key, of its successor, and
//! how far the project's events reach back (design 6.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::estate::NameNo;
use crate::model::key_id::Provider;
use crate::model::outline::Span;
use crate::model::reading::{Content, Event, Outcome};
use crate::model::{Reading, Timestamp};

/// Evidence of keys in one project: completed snapshots naming them, and settings. Grows with
/// keys and clusters, not with snapshots.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    /// The earliest and the latest evidence of each spelling.
    first: BTreeMap<NameNo, Timestamp>,
    last: BTreeMap<NameNo, Timestamp>,
    /// Per cluster, the newest completed snapshot under each spelling.
    newest_in_cluster: BTreeMap<String, BTreeMap<NameNo, Timestamp>>,
    /// Settings that showed a spelling, and whole settings that showed a provider off.
    settings: Vec<(Timestamp, NameNo)>,
    off: Vec<(Timestamp, Provider)>,
}

impl Uses {
    /// A completed snapshot of `cluster`, made at `created`, names `name`.
    pub fn note_snapshot(&mut self, cluster: &str, name: NameNo, created: Timestamp) {
        raise(&mut self.last, name, created);
        lower(&mut self.first, name, created);
        if let Some(known) = self.newest_in_cluster.get_mut(cluster) {
            raise(known, name, created);
        } else {
            self.newest_in_cluster
                .insert(cluster.to_owned(), BTreeMap::from([(name, created)]));
        }
    }

    pub fn note_settings(&mut self, name: NameNo, at: Timestamp) {
        raise(&mut self.last, name, at);
        lower(&mut self.first, name, at);
        self.settings.push((at, name));
    }

    pub fn note_off(&mut self, provider: Provider, at: Timestamp) {
        self.off.push((at, provider));
    }

    /// Every spelling with evidence.
    pub fn names(&self) -> impl Iterator<Item = NameNo> {
        self.last.keys().copied()
    }

    /// The earliest evidence of a spelling.
    pub fn first(&self, name: NameNo) -> Option<Timestamp> {
        self.first.get(&name).copied()
    }

    /// The latest evidence of a spelling.
    pub fn last(&self, name: NameNo) -> Option<Timestamp> {
        self.last.get(&name).copied()
    }

    /// Settings that showed a key, oldest first.
    pub fn settings(&self) -> &[(Timestamp, NameNo)] {
        &self.settings
    }

    /// The first whole settings after `after` in which the provider is off.
    pub fn first_off_after(&self, provider: Provider, after: Timestamp) -> Option<Timestamp> {
        self.off
            .iter()
            .filter(|(at, p)| *p == provider && *at > after)
            .map(|(at, _)| *at)
            .min()
    }

    /// The newest completed snapshots of a cluster, per spelling.
    pub fn in_cluster(&self, cluster: &str) -> impl Iterator<Item = (NameNo, Timestamp)> {
        self.newest_in_cluster
            .get(cluster)
            .into_iter()
            .flat_map(|names| names.iter().map(|(no, at)| (*no, *at)))
    }
}

fn lower(times: &mut BTreeMap<NameNo, Timestamp>, name: NameNo, at: Timestamp) {
    let known = times.entry(name).or_insert(at);
    *known = (*known).min(at);
}

fn raise(times: &mut BTreeMap<NameNo, Timestamp>, name: NameNo, at: Timestamp) {
    let known = times.entry(name).or_insert(at);
    *known = (*known).max(at);
}

/// One whole reading of a project's events: how far back it goes, and in which of the intervals
/// between key events there is evidence of a key of each provider.
#[derive(Clone, Debug)]
pub struct EventCover {
    since: Option<Timestamp>,
    read_at: Timestamp,
    run: Arc<str>,
    /// Per provider of `EVENT_PROVIDERS`.
    providers: Vec<ProviderEvents>,
}

#[derive(Clone, Debug)]
struct ProviderEvents {
    provider: Provider,
    /// Sorted times of events that may have changed the key.
    events: Vec<Timestamp>,
    /// Evidence in the interval before each event, and after the last.
    evidence: Vec<bool>,
}

/// Providers whose rotation Atlas reports as events.
const EVENT_PROVIDERS: [(Provider, &str); 3] = [
    (Provider::Aws, "AWS_ENCRYPTION_KEY_ROTATED"),
    (Provider::Azure, "AZURE_ENCRYPTION_KEY_ROTATED"),
    (Provider::Gcp, "GCP_ENCRYPTION_KEY_ROTATED"),
];

const SETTINGS_UPDATED: &str = "ENCRYPTION_AT_REST_CONFIGURATION_UPDATED";

impl EventCover {
    /// One for each whole events reading, with the events besides that cut readings showed.
    pub fn all_of(readings: &[Reading]) -> Vec<Self> {
        let shown = readings
            .iter()
            .filter_map(|r| match (&*r.content, &r.outcome) {
                (Content::Events { since: _, events }, Outcome::Partial(_)) => Some(events),
                _ => None,
            });
        let shown: Vec<&Event> = shown.flatten().collect();
        readings
            .iter()
            .filter_map(|reading| match (&*reading.content, &reading.outcome) {
                (Content::Events { since, events }, Outcome::Whole) => {
                    let providers = EVENT_PROVIDERS
                        .iter()
                        .map(|(provider, rotated)| {
                            let mut times: Vec<Timestamp> = events
                                .iter()
                                .chain(shown.iter().copied())
                                .filter(|e| e.kind == *rotated || e.kind == SETTINGS_UPDATED)
                                .map(|e| e.at)
                                .collect();
                            times.sort_unstable();
                            times.dedup();
                            let evidence = vec![false; times.len() + 1];
                            ProviderEvents {
                                provider: *provider,
                                events: times,
                                evidence,
                            }
                        })
                        .collect();
                    Some(Self {
                        since: *since,
                        read_at: reading.at,
                        run: reading.run.clone(),
                        providers,
                    })
                }
                _ => None,
            })
            .collect()
    }

    /// Evidence at `at`: of a key of the provider, or of the provider being off. Evidence at the
    /// second of an event may be from before or after it, and counts for neither side. Nor does
    /// any from before or after what the events span: there may be an event between. What was
    /// read in the same run stands for the end of it.
    pub fn note_evidence(&mut self, provider: Provider, at: Timestamp, run: Option<&str>) {
        let before = self.since.is_some_and(|since| at < since);
        if before || (at > self.read_at && run != Some(&*self.run)) {
            return;
        }
        for of in self.providers.iter_mut().filter(|p| p.provider == provider) {
            if let Err(interval) = of.events.binary_search(&at)
                && let Some(slot) = of.evidence.get_mut(interval)
            {
                *slot = true;
            }
        }
    }

    /// Times without evidence of a provider that [`Self::covers`] asks for: evidence at any of them
    /// would fill the interval that they are.
    pub fn open_spans(&self, provider: Provider, start: Timestamp) -> Vec<Span> {
        let of = self.providers.iter().filter(|p| p.provider == provider);
        of.flat_map(|p| {
            let starts = std::iter::once(self.since)
                .chain(p.events.iter().map(|at| Some(at.saturating_add(1))));
            let ends = p.events.iter().map(|at| at.saturating_add(-1));
            let ends = ends.chain(std::iter::once(self.read_at));
            let spans = starts.zip(ends).map(|(from, to)| Span {
                from: from.max(self.since).unwrap_or(Timestamp::EPOCH),
                to: to.min(self.read_at),
            });
            let open = spans.enumerate().filter(|(no, _)| p.is_open(*no, start));
            open.map(|(_, span)| span).filter(|s| s.from <= s.to)
        })
        .collect()
    }

    /// Whether the reading reaches back to before `at` and was made after it.
    pub fn spans(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| since < at) && self.read_at > at
    }

    /// From when to when it tells of events.
    pub fn ends(&self) -> impl Iterator<Item = Timestamp> {
        self.since.into_iter().chain([self.read_at])
    }

    /// When the events were read.
    pub fn read_at(&self) -> Timestamp {
        self.read_at
    }

    /// Whether the project's keys of this provider are known for all the time from `start` on:
    /// the events reach back to it, and in every interval between two key events (and to either
    /// end) that overlaps it there is evidence.
    pub fn covers(&self, provider: Provider, start: Timestamp) -> bool {
        if self.since.is_some_and(|since| since > start) {
            return false;
        }
        let mut of = self.providers.iter().filter(|p| p.provider == provider);
        of.all(|p| (0..p.evidence.len()).all(|interval| !p.is_open(interval, start)))
    }
}

impl ProviderEvents {
    /// Whether an interval overlaps the time from `start` on, and is without evidence.
    fn is_open(&self, interval: usize, start: Timestamp) -> bool {
        let ends_before = self.events.get(interval).is_some_and(|end| *end <= start);
        !ends_before && self.evidence.get(interval) == Some(&false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::testing::{at, events_reading};

    #[test]
    fn every_interval_that_overlaps_the_window_needs_evidence() {
        let rotated = "AWS_ENCRYPTION_KEY_ROTATED";
        let reading = events_reading(
            "2026-11-01T02:00:00Z",
            Some("2026-10-01T00:00:00Z"),
            &[
                ("2026-10-10T00:00:00Z", rotated),
                ("2026-10-28T00:00:00Z", rotated),
            ],
        );
        let start = at("2026-10-20T00:00:00Z");
        let cover = EventCover::all_of(std::slice::from_ref(&reading)).remove(0);
        // (evidence at, covered from 20 October on)
        let table: [(&[&str], bool); 6] = [
            (&[], false),
            (&["2026-10-15T00:00:00Z"], false),
            (&["2026-10-15T00:00:00Z", "2026-10-30T00:00:00Z"], true),
            (&["2026-10-05T00:00:00Z", "2026-10-30T00:00:00Z"], false),
            (&["2026-10-28T00:00:00Z", "2026-10-30T00:00:00Z"], false),
            (&["2026-10-27T23:59:59Z", "2026-10-28T00:00:01Z"], true),
        ];
        for (times, covered) in table {
            let mut cover = cover.clone();
            for time in times {
                cover.note_evidence(Provider::Aws, at(time), None);
            }
            assert_eq!(cover.covers(Provider::Aws, start), covered, "{times:?}");
        }
        assert!(!cover.covers(Provider::Aws, at("2026-09-30T00:00:00Z")));
    }

    #[test]
    fn without_events_one_piece_of_evidence_covers_the_window() {
        let reading = events_reading("2026-11-01T02:00:00Z", None, &[]);
        let mut cover = EventCover::all_of(std::slice::from_ref(&reading)).remove(0);
        assert!(!cover.covers(Provider::Gcp, at("2026-10-20T00:00:00Z")));
        cover.note_evidence(Provider::Gcp, at("2026-11-01T02:00:00Z"), None);
        assert!(cover.covers(Provider::Gcp, at("2026-10-20T00:00:00Z")));
        assert!(!cover.covers(Provider::Aws, at("2026-10-20T00:00:00Z")));
    }
}
