//! Looking snapshots up finds what streaming them shows, and totals say what rows say.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use proptest::collection::vec;
use proptest::prelude::*;

use super::samples::sighting;
use super::{at, import, memory, show, snapshots, view};
use crate::model::evidence::{KeyColumn, SnapshotShape};
use crate::model::outline::{ClusterOutline, Column, End, Outline, Pile, Shelves, Span};
use crate::model::{ProjectRef, Sighting, Snapshot, Timestamp};
use crate::store::{Shelved, Store, StoreError};

const NOW: Timestamp = Timestamp::MAX;

fn project(no: u8) -> ProjectRef {
    ProjectRef {
        id: format!("p{no}"),
        base_url: String::from("https://atlas.example"),
    }
}

/// Few snapshots of few clusters, each shown several times, in several imports.
fn shown() -> impl Strategy<Value = Vec<Vec<(u8, u8, u8, Sighting)>>> {
    let row = (0_u8..2, 0_u8..2, 0_u8..4, sighting());
    vec(vec(row, 0..12), 1..4)
}

fn kept(imports: &[Vec<(u8, u8, u8, Sighting)>]) -> Store {
    let mut store = memory();
    for rows in imports {
        import(&mut store, |import| {
            rows.iter().try_for_each(|(of, cluster, id, sighting)| {
                let (cluster, id) = (format!("c{cluster}"), format!("s{id}"));
                show(import, &project(*of), &cluster, &id, sighting)
            })
        })
        .unwrap();
    }
    store
}

fn looked_up<T>(store: &Store, work: impl FnOnce(&Shelved<'_>) -> Result<T, StoreError>) -> T {
    view(store, |view| work(&view.shelved(NOW)?.unwrap()))
}

fn of_cluster(all: &[Snapshot], cluster: &ClusterOutline) -> Vec<Snapshot> {
    let is_of = |s: &&Snapshot| s.project == *cluster.project && s.cluster == cluster.name;
    all.iter().filter(is_of).cloned().collect()
}

/// What a pile's column says.
fn column(outline: &Outline, pile: &Pile) -> KeyColumn {
    match &pile.column {
        Column::Absent => KeyColumn::Absent,
        Column::NotEncrypted => KeyColumn::NotEncrypted,
        Column::Named(spellings) => {
            let texts = spellings.iter().map(|no| outline.spellings[*no].clone());
            KeyColumn::Named(texts.collect())
        }
    }
}

fn has(snapshot: &Snapshot, keys: &KeyColumn) -> bool {
    snapshot.sightings.iter().any(|s| s.keys == *keys)
}

fn is_redated(snapshot: &Snapshot) -> bool {
    let made: BTreeSet<_> = snapshot.sightings.iter().map(|s| s.created_at).collect();
    made.len() > 1
}

/// When it was made, by all of its readings.
fn made(snapshot: &Snapshot) -> Option<Timestamp> {
    snapshot.sightings[0]
        .created_at
        .filter(|_| !is_redated(snapshot))
}

fn sorted(mut snapshots: Vec<Snapshot>) -> Vec<Snapshot> {
    snapshots.sort_by(|one, other| one.id.cmp(&other.id));
    snapshots
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn totals_say_what_the_rows_say(imports in shown()) {
        let store = kept(&imports);
        let all = snapshots(&store, NOW);
        looked_up(&store, |shelved| {
            let outline = shelved.outline();
            let clusters: BTreeSet<_> = all.iter().map(|s| (&s.project, &s.cluster)).collect();
            let outlined: Vec<_> = outline.clusters.iter().map(|c| (&*c.project, &c.name)).collect();
            assert_eq!(outlined, clusters.into_iter().collect::<Vec<_>>());
            for (place, cluster) in outline.clusters.iter().enumerate() {
                let of_it = of_cluster(&all, cluster);
                let rows: Vec<&Sighting> = of_it.iter().flat_map(|s| &s.sightings).collect();
                let latest = rows.iter().map(|s| s.last_at.max(s.created_at.unwrap_or(s.last_at)));
                assert_eq!(Some(cluster.latest), latest.max());
                let is_sharded = |s: &&Sighting| s.shape == SnapshotShape::Sharded;
                assert_eq!(cluster.sharded, rows.iter().any(is_sharded));
                assert_eq!(cluster.redated, of_it.iter().any(is_redated));
                let piles = shelved.piles(cluster)?;
                let columns: BTreeSet<_> = rows.iter().map(|s| s.keys.clone()).collect();
                let piled: BTreeSet<_> = piles.iter().map(|pile| column(outline, pile)).collect();
                assert_eq!((piles.len(), &piled), (columns.len(), &columns));
                for pile in &piles {
                    let keys = column(outline, pile);
                    let rows: Vec<&&Sighting> = rows.iter().filter(|s| s.keys == keys).collect();
                    let times = || rows.iter().filter_map(|s| s.created_at);
                    let span = times().min().zip(times().max());
                    assert_eq!(pile.made.map(|made| (made.from, made.to)), span);
                    assert_eq!(pile.undated, rows.iter().any(|s| s.created_at.is_none()));
                    for shape in SnapshotShape::ALL {
                        let is_there = rows.iter().any(|s| s.shape == shape);
                        assert_eq!(pile.shapes.has(shape), is_there);
                    }
                    if let Column::Named(spellings) = &pile.column {
                        for spelling in spellings {
                            assert!(shelved.clusters_under(*spelling)?.contains(&place));
                        }
                    }
                }
                let without_key = columns.contains(&KeyColumn::Absent);
                assert_eq!(shelved.clusters_without_key()?.contains(&place), without_key);
            }
            Ok(())
        });
    }

    #[test]
    fn what_is_picked_is_handed_on_once_and_whole(
        imports in shown(),
        chosen in any::<u8>(),
        ids in vec("s[0-5]", 0..3),
    ) {
        let store = kept(&imports);
        let all = snapshots(&store, NOW);
        looked_up(&store, |shelved| {
            let outline = shelved.outline();
            for cluster in &outline.clusters {
                let piles = shelved.piles(cluster)?;
                let piles: Vec<&Pile> = piles
                    .iter()
                    .enumerate()
                    .filter(|(no, _)| chosen >> (no % 8) & 1 == 1)
                    .map(|(_, pile)| pile)
                    .collect();
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                let mut picked = Vec::new();
                shelved.pick(cluster, &piles, &ids, &mut |row| picked.push(row.clone()))?;
                let wanted = of_cluster(&all, cluster).into_iter().filter(|s| {
                    let mut piles = piles.iter();
                    piles.any(|pile| has(s, &column(outline, pile))) || ids.contains(&&*s.id)
                });
                assert_eq!(sorted(picked), wanted.collect::<Vec<_>>());
            }
            Ok(())
        });
    }

    #[test]
    fn a_walk_goes_by_creation_and_stops_when_told(
        imports in shown(),
        (from, to) in (0_i64..50, 0_i64..50),
        stop_after in 1_usize..4,
    ) {
        let store = kept(&imports);
        let all = snapshots(&store, NOW);
        let span = Span { from: at(from.min(to)), to: at(from.max(to)) };
        looked_up(&store, |shelved| {
            let outline = shelved.outline();
            for cluster in &outline.clusters {
                for pile in &shelved.piles(cluster)? {
                    let keys = column(outline, pile);
                    let of_pile: Vec<Snapshot> = of_cluster(&all, cluster)
                        .into_iter()
                        .filter(|s| has(s, &keys))
                        .collect();
                    for first in [End::Oldest, End::Newest] {
                        let mut walked = Vec::new();
                        let mut dated = Vec::new();
                        shelved.walk(cluster, pile, span, first, &mut |row| {
                            walked.push(row.clone());
                            if let Some(at) = made(row) {
                                dated.push(at);
                            }
                            ControlFlow::Continue(())
                        })?;
                        // Whoever stops at a time in order has met all those out of order.
                        let n_undated = walked.len() - dated.len();
                        assert!(walked.iter().take(n_undated).all(|s| made(s).is_none()));
                        let mut times = dated.clone();
                        times.sort_unstable();
                        if first == End::Newest {
                            times.reverse();
                        }
                        assert_eq!(dated, times);
                        for snapshot in &of_pile {
                            let is_due = match made(snapshot) {
                                Some(at) => (span.from..=span.to).contains(&at),
                                // No one time is known of it.
                                None => true,
                            };
                            assert!(!is_due || walked.contains(snapshot), "{snapshot:?}");
                        }
                        // Told to stop, it leaves out only what comes later in order.
                        let mut seen = Vec::new();
                        shelved.walk(cluster, pile, span, first, &mut |row| {
                            seen.push(row.clone());
                            let n_dated = seen.iter().filter(|s| made(s).is_some()).count();
                            if n_dated >= stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                        })?;
                        assert!(walked.starts_with(&seen));
                        let left: Vec<&Snapshot> = walked.iter().skip(seen.len()).collect();
                        assert!(left.iter().all(|s| made(s).is_some() || seen.contains(s)));
                    }
                }
            }
            Ok(())
        });
    }
}
