//! Rows that are kept many at a time leave what they leave one by one; and what they say together.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection;
use proptest::prelude::*;

use super::snapshots::{completed, home, others_than};
use super::{at, dump, evidence, import, memory, show, shown, snapshots, view};
use crate::model::evidence::SnapshotShape;
use crate::model::{ProjectRef, Sighting, Timestamp};
use crate::store::{Rows, Store};

/// A row of one of few snapshots: where, which, what it says, when.
type Row = (ProjectRef, &'static str, &'static str, Sighting);

fn row() -> impl Strategy<Value = Row> {
    let base = completed(at(0));
    // Two of each are alike, so that most rows have one that says the same.
    let said = others_than(&base)
        .into_iter()
        .take(4)
        .chain([base.clone(), base]);
    (
        prop::sample::select(vec!["a", "b"]),
        prop::sample::select(vec!["x", "y"]),
        prop::sample::select(vec!["1", "2", "3"]),
        prop::sample::select(said.collect::<Vec<_>>()),
        0_i64..6,
    )
        .prop_map(|(project, cluster, id, said, hour)| {
            let sighting = Sighting {
                first_at: at(hour),
                last_at: at(hour),
                ..said
            };
            (home(project), cluster, id, sighting)
        })
}

/// What the store says of snapshots, how many imports added something, and at which instants it
/// knows of anything later.
fn said(store: &Store) -> impl PartialEq + std::fmt::Debug {
    let later = (-1_i64..6).map(|hour| evidence(store, at(hour)).later_exists);
    let rows = dump(store).into_iter();
    let imports = rows.filter(|row| row.starts_with("import ")).count();
    (
        snapshots(store, Timestamp::MAX),
        imports,
        later.collect::<Vec<_>>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn many_rows_at_once_are_the_same_rows(
        before in collection::vec(row(), 0..6),
        batches in collection::vec(collection::vec(row(), 0..12), 1..4),
    ) {
        let (mut one_by_one, mut at_once) = (memory(), memory());
        for store in [&mut one_by_one, &mut at_once] {
            import(store, |import| before.iter().try_for_each(|(project, cluster, id, sighting)| {
                show(import, project, cluster, id, sighting)
            })).unwrap();
        }
        import(&mut one_by_one, |import| {
            batches.iter().flatten().try_for_each(|(project, cluster, id, sighting)| {
                show(import, project, cluster, id, sighting)
            })
        }).unwrap();
        import(&mut at_once, |import| {
            batches.iter().try_for_each(|batch| {
                let mut rows = Rows::default();
                for (project, cluster, id, sighting) in batch {
                    rows.push(&shown(project, cluster, id, sighting));
                }
                import.rows(rows)
            })
        }).unwrap();
        prop_assert_eq!(said(&at_once), said(&one_by_one));
    }

    #[test]
    fn a_cluster_reaches_as_far_as_its_snapshots(
        rows in collection::vec((row(), prop::option::of(0_i64..9), any::<bool>()), 0..12),
    ) {
        let mut store = memory();
        import(&mut store, |import| {
            rows.iter().try_for_each(|((project, cluster, id, sighting), created, sharded)| {
                let sighting = Sighting {
                    created_at: created.map(at),
                    shape: if *sharded { SnapshotShape::Sharded } else { sighting.shape },
                    ..sighting.clone()
                };
                show(import, project, cluster, id, &sighting)
            })
        }).unwrap();
        let mut expected = BTreeMap::new();
        for snapshot in snapshots(&store, Timestamp::MAX) {
            let latest = snapshot.sightings.iter().flat_map(|s| [Some(s.last_at), s.created_at]).flatten().max().unwrap();
            let sharded = snapshot.sightings.iter().any(|s| s.shape == SnapshotShape::Sharded);
            let of_cluster = expected.entry((snapshot.project, snapshot.cluster)).or_insert((latest, false));
            *of_cluster = (of_cluster.0.max(latest), of_cluster.1 | sharded);
        }
        for wanted in [vec!["a", "b", "c"], vec!["b"], vec![]] {
            let wanted: BTreeSet<ProjectRef> = wanted.into_iter().map(home).collect();
            let mut found = BTreeMap::new();
            view(&store, |view| view.for_each_reach(&wanted, &mut |reach| {
                let place = (reach.project.clone(), reach.cluster.to_owned());
                found.insert(place, (reach.latest, reach.sharded));
                Ok(())
            }));
            let mut expected = expected.clone();
            expected.retain(|(project, _), _| wanted.contains(project));
            prop_assert_eq!(found, expected);
        }
    }
}

/// What rows are compared by before they become one.
#[test]
fn no_field_is_left_out_when_rows_become_one() {
    let base = completed(at(1));
    for other in others_than(&base) {
        let mut store = memory();
        let mut rows = Rows::default();
        for sighting in [&base, &other, &base, &other] {
            rows.push(&shown(&home("p"), "c", "s", sighting));
        }
        import(&mut store, |import| import.rows(rows)).unwrap();
        let all = snapshots(&store, Timestamp::MAX);
        let [only] = all.as_slice() else {
            panic!("{all:?}");
        };
        assert_eq!(only.sightings.len(), 2, "{other:?}");
        assert!(only.sightings.contains(&base) && only.sightings.contains(&other));
    }
}
