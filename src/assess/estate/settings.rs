//! What a project's settings and lines of snapkey's own form name, and which providers anything
//! ever showed in it: all of it evidence that is no snapshot.

use std::collections::BTreeSet;

use super::gathering::{Gathering, Known};
use super::{Current, Name, NameNo, Project};
use crate::assess::{coverage, identity};
use crate::model::Reading;
use crate::model::key_id::Provider;
use crate::model::reading::{ClusterEncryption, Content, Declared, Outcome};

impl<'e> Gathering<'e> {
    /// Settings name keys, and say when a provider was off.
    pub(super) fn note_settings(
        &mut self,
        no: usize,
        readings: &'e [Reading],
        known: &mut Known<'e>,
    ) {
        let Known { uses, events, .. } = known;
        for reading in readings {
            let Content::Settings(blocks) = &*reading.content else {
                continue;
            };
            let whole = match reading.outcome {
                Outcome::Whole => true,
                Outcome::Partial(_) => false,
                Outcome::Refused { .. } => continue,
            };
            for block in blocks.iter().filter(|block| block.enabled) {
                if let Some(key) = &block.key {
                    let name = self.name(key, Some(no));
                    uses.note_settings(name, reading.at);
                }
                for cover in events.iter_mut() {
                    cover.note_evidence(block.provider, reading.at, Some(&reading.run));
                }
            }
            if whole {
                for provider in Provider::ALL {
                    if !blocks
                        .iter()
                        .any(|block| block.provider == provider && block.enabled)
                    {
                        uses.note_off(provider, reading.at);
                        for cover in events.iter_mut() {
                            cover.note_evidence(provider, reading.at, Some(&reading.run));
                        }
                    }
                }
            }
        }
    }

    /// The blocks that are on in the newest whole settings, and in anything read since.
    pub(super) fn current_keys(&mut self, no: usize, readings: &'e [Reading]) -> Vec<Current<'e>> {
        let is_settings = |r: &Reading| matches!(*r.content, Content::Settings(_));
        let newest_whole = readings
            .iter()
            .rfind(|r| is_settings(r) && coverage::is_whole(r))
            .map(|r| r.at);
        let mut current = Vec::new();
        for reading in readings.iter().filter(|r| Some(r.at) >= newest_whole) {
            let (Content::Settings(blocks), Outcome::Whole | Outcome::Partial(_)) =
                (&*reading.content, &reading.outcome)
            else {
                continue;
            };
            for settings in blocks.iter().filter(|block| block.enabled) {
                let name = settings.key.as_ref().map(|key| self.name(key, Some(no)));
                current.push(Current {
                    settings,
                    name,
                    at: reading.at,
                });
            }
        }
        current
    }

    /// The newest whole inventory of snapkey's own form, and anything shown since.
    pub(super) fn declared(
        &mut self,
        no: usize,
        readings: &'e [Reading],
    ) -> Vec<(&'e Declared, Vec<NameNo>)> {
        let is_own = |r: &Reading| matches!(*r.content, Content::Inventory(_));
        let since = readings
            .iter()
            .rfind(|r| is_own(r) && coverage::is_whole(r))
            .map(|r| r.at);
        let mut declared = Vec::new();
        for reading in readings.iter().filter(|r| Some(r.at) >= since) {
            let Content::Inventory(lines) = &*reading.content else {
                continue;
            };
            for line in lines {
                let names = line
                    .keys
                    .iter()
                    .map(|key| self.name(key, Some(no)))
                    .collect();
                declared.push((line, names));
            }
        }
        declared
    }
}

/// Providers that a project ever showed, with those of its keys.
pub(super) fn with_named(project: &Project<'_>, names: &[Name]) -> Vec<Provider> {
    let mut shown: BTreeSet<Provider> = project.shown.iter().copied().collect();
    let named = project
        .uses
        .names()
        .chain(project.current.iter().filter_map(|c| c.name));
    shown.extend(
        named
            .filter_map(|no| names.get(no))
            .filter_map(|name| identity::provider_of(&name.resolved)),
    );
    shown.into_iter().collect()
}

/// Some cluster may ever have had point-in-time restore.
pub(super) fn may_have_pit(readings: &[Reading]) -> bool {
    readings.iter().any(|reading| {
        let (Content::Clusters { clusters, .. } | Content::SharedClusters(clusters)) =
            &*reading.content
        else {
            return false;
        };
        clusters
            .iter()
            .any(|cluster| cluster.dedicated && cluster.pit_enabled != Some(false))
    })
}

/// The longest window that a schedule or compliance policy ever had, in days.
pub(super) fn longest_window(readings: &[Reading]) -> u32 {
    let windows = readings
        .iter()
        .filter_map(|reading| match &*reading.content {
            Content::Schedule(schedule) => schedule.restore_window_days,
            Content::CompliancePolicy(policy) => policy.restore_window_days,
            Content::Projects(_)
            | Content::Project
            | Content::Clusters { .. }
            | Content::SharedClusters(_)
            | Content::Snapshots
            | Content::ShardedSnapshots
            | Content::SharedSnapshots
            | Content::Settings(_)
            | Content::Events { .. }
            | Content::RestoreJobs(_)
            | Content::Inventory(_) => None,
        });
    windows.max().unwrap_or(0)
}

/// Providers that settings, clusters and events ever showed.
pub(super) fn shown_by(readings: &[Reading]) -> BTreeSet<Provider> {
    let mut shown = BTreeSet::new();
    for reading in readings {
        match &*reading.content {
            Content::Settings(blocks) => {
                shown.extend(
                    blocks
                        .iter()
                        .filter(|b| b.enabled || b.key.is_some())
                        .map(|b| b.provider),
                );
            }
            Content::Clusters { clusters, .. } => {
                for cluster in clusters {
                    match &cluster.encryption {
                        Some(ClusterEncryption::Provider(provider)) => {
                            shown.insert(*provider);
                        }
                        Some(ClusterEncryption::Unrecognised(_)) => shown.extend(Provider::ALL),
                        Some(ClusterEncryption::None) | None => {}
                    }
                }
            }
            Content::Events { events, .. } => {
                shown.extend(events.iter().filter_map(|e| provider_of_event(&e.kind)));
            }
            Content::Projects(_)
            | Content::Project
            | Content::SharedClusters(_)
            | Content::Snapshots
            | Content::ShardedSnapshots
            | Content::SharedSnapshots
            | Content::Schedule(_)
            | Content::RestoreJobs(_)
            | Content::CompliancePolicy(_)
            | Content::Inventory(_) => {}
        }
    }
    shown
}

/// Events were read in part, and never whole.
pub(super) fn events_were_cut(readings: &[Reading]) -> bool {
    let events = || {
        readings
            .iter()
            .filter(|r| matches!(*r.content, Content::Events { .. }))
    };
    events().any(|r| matches!(r.outcome, Outcome::Partial(_))) && !events().any(coverage::is_whole)
}

/// The provider that an event type speaks of (Atlas event types `*_ENCRYPTION_KEY_*`).
fn provider_of_event(kind: &str) -> Option<Provider> {
    let (prefix, rest) = kind.split_once('_')?;
    let about_keys = rest.starts_with("ENCRYPTION_KEY_");
    match prefix {
        "AWS" if about_keys => Some(Provider::Aws),
        "AZURE" if about_keys => Some(Provider::Azure),
        "GCP" if about_keys => Some(Provider::Gcp),
        _ => None,
    }
}
