//! Readings and observations: what goes in comes out, once, in an order of its own.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::samples::{contents, fact, observation, reading};
use super::{Fact, at, comparable, dump, evidence, import, import_all, memory, show, snapshots};
use crate::model::evidence::{Condition, KeyColumn, SnapshotShape, SnapshotStatus, UnknownReason};
use crate::model::intake::Intake;
use crate::model::policy::Hold;
use crate::model::reading::{Content, Gap, ListedProject, Outcome, Scope};
use crate::model::{
    Forgotten, HoldSeen, Observation, ProjectRef, Reading, RootId, Sighting, Source, Timestamp,
};

fn atlas() -> RootId {
    RootId {
        source: Source::Atlas,
        base_url: "https://atlas.example".to_owned(),
        scope: Scope::AllVisible,
    }
}

fn settings_at(at: Timestamp, project: &str) -> Reading {
    Reading {
        root: Arc::new(atlas()),
        project: Some(Arc::from(project)),
        cluster: None,
        at,
        run: Arc::from("run"),
        identity: None,
        outcome: Outcome::Whole,
        content: Arc::new(Content::Settings(Vec::new())),
        before: Vec::new(),
    }
}

fn enabled_at(at: Timestamp) -> Observation {
    Observation {
        key: "arn:aws:kms:eu-west-1:111122223333:key/0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0"
            .parse()
            .unwrap(),
        at,
        condition: Condition::Enabled { expires: None },
        native: None,
        endpoint: "recorded".to_owned(),
        identity: None,
        related: Vec::new(),
        stale_at: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_reading_comes_back_as_it_was(reading in reading()) {
        let mut store = memory();
        import(&mut store, |import| import.reading(&reading)).unwrap();
        let evidence = evidence(&store, Timestamp::MAX);
        prop_assert_eq!(evidence.roots.len(), 1);
        prop_assert_eq!(&evidence.roots[0].id, &*reading.root);
        let kept = match &reading.project {
            None => &evidence.roots[0].lists,
            Some(id) => &evidence.projects[&ProjectRef {
                id: id.to_string(),
                base_url: reading.root.base_url.clone(),
            }],
        };
        prop_assert_eq!(kept, &vec![reading]);
    }

    #[test]
    fn an_observation_comes_back_as_it_was(observation in observation()) {
        let mut store = memory();
        import(&mut store, |import| import.observation(&observation)).unwrap();
        prop_assert_eq!(evidence(&store, Timestamp::MAX).observations, vec![observation]);
    }

    /// Several imports in any order, of the same facts cut in any way, are the same evidence;
    /// and importing them again adds no row.
    #[test]
    fn neither_order_nor_repetition_shows(
        (facts, shuffled, cut) in proptest::collection::vec(fact(), 1..24).prop_flat_map(|facts| {
            let cut = 0..facts.len();
            (Just(facts.clone()), Just(facts).prop_shuffle(), cut)
        }),
        as_of in (0_i64..60).prop_map(at),
    ) {
        let mut one = memory();
        import_all(&mut one, &facts);
        let mut other = memory();
        let (first, second) = shuffled.split_at(cut);
        import_all(&mut other, first);
        import_all(&mut other, second);
        for as_of in [as_of, Timestamp::MAX] {
            let of_one = evidence(&one, as_of);
            prop_assert_eq!(comparable(&of_one), comparable(&evidence(&other, as_of)));
            prop_assert_eq!(snapshots(&one, as_of), snapshots(&other, as_of));
        }
        let before = dump(&other);
        import_all(&mut other, &shuffled);
        import_all(&mut other, &facts);
        prop_assert_eq!(before, dump(&other));
    }

    /// What is dated after an instant cannot be told from what was never imported, but that the
    /// store says that there is something.
    #[test]
    fn later_evidence_is_not_seen(
        facts in proptest::collection::vec(fact(), 1..24),
        as_of in (0_i64..50).prop_map(at),
    ) {
        let mut all = memory();
        import_all(&mut all, &facts);
        let (by_then, later): (Vec<_>, Vec<_>) =
            facts.into_iter().partition(|fact| dated(fact) <= as_of);
        let mut early = memory();
        import_all(&mut early, &by_then);
        let mut seen = evidence(&all, as_of);
        prop_assert_eq!(seen.later_exists, !later.is_empty());
        seen.later_exists = false;
        prop_assert_eq!(comparable(&seen), comparable(&evidence(&early, as_of)));
        // Of a snapshot only the end of its intervals may differ: it is known to have been there.
        let (mut seen, mut expected) = (snapshots(&all, as_of), snapshots(&early, as_of));
        for (seen, expected) in seen.iter().zip(&expected) {
            for sighting in &expected.sightings {
                let still = seen.sightings.iter().any(|other| {
                    other.first_at == sighting.first_at && other.last_at <= as_of
                });
                prop_assert!(still);
            }
        }
        for snapshot in seen.iter_mut().chain(&mut expected) {
            for sighting in &mut snapshot.sightings {
                sighting.last_at = sighting.first_at;
            }
            snapshot.sightings.sort_by_key(|sighting| format!("{sighting:?}"));
        }
        prop_assert_eq!(seen, expected);
    }
}

fn dated(fact: &Fact) -> Timestamp {
    match fact {
        Fact::Snapshot(_, _, _, sighting) => sighting.first_at,
        Fact::Reading(reading) => reading.at,
        Fact::Observation(observation) => observation.at,
    }
}

/// At one instant: by kind, then by cluster (none first), then in an order that no import decides.
#[test]
fn readings_have_one_order() {
    let of = |cluster: Option<&str>, content: Content, run: &str| Reading {
        cluster: cluster.map(Arc::from),
        content: Arc::new(content),
        run: Arc::from(run),
        ..settings_at(at(1), "a")
    };
    let mut readings = [
        of(None, Content::Project, "r"),
        of(None, Content::Settings(Vec::new()), "r"),
        of(None, Content::Settings(Vec::new()), "s"),
        of(None, Content::Settings(Vec::new()), "t"),
        of(None, Content::Snapshots, "r"),
        of(Some("b"), Content::Snapshots, "r"),
        of(Some("c"), Content::Snapshots, "r"),
        Reading {
            at: at(2),
            ..of(None, Content::Project, "r")
        },
    ];
    let mut orders = Vec::new();
    for _ in 0..readings.len() {
        readings.rotate_left(1);
        let mut store = memory();
        let facts: Vec<_> = readings.iter().cloned().map(Fact::Reading).collect();
        import_all(&mut store, &facts);
        orders.extend(evidence(&store, at(9)).projects.into_values());
    }
    assert!(orders.iter().all(|order| *order == orders[0]));
    let words: Vec<_> = orders[0]
        .iter()
        .map(|reading| (reading.content.word(), reading.cluster.as_deref()))
        .collect();
    assert_eq!(
        words,
        [
            ("project", None),
            ("settings", None),
            ("settings", None),
            ("settings", None),
            ("snapshots", None),
            ("snapshots", Some("b")),
            ("snapshots", Some("c")),
            ("project", None),
        ]
    );
}

#[test]
fn observations_have_one_order() {
    let at_once = |native: &str| Observation {
        native: Some(native.to_owned()),
        ..enabled_at(at(2))
    };
    let mut observations = [
        enabled_at(at(1)),
        at_once("a"),
        at_once("b"),
        at_once("c"),
        Observation {
            key: "kmip://hsm/1".parse().unwrap(),
            ..enabled_at(at(1))
        },
    ];
    let mut orders = Vec::new();
    for _ in 0..observations.len() {
        observations.rotate_left(1);
        let mut store = memory();
        let facts: Vec<_> = observations
            .iter()
            .cloned()
            .map(Fact::Observation)
            .collect();
        import_all(&mut store, &facts);
        orders.push(evidence(&store, at(9)).observations);
    }
    assert!(orders.iter().all(|order| *order == orders[0]));
    let keys: Vec<_> = orders[0].iter().map(|seen| (&seen.key, seen.at)).collect();
    assert!(keys.is_sorted());
}

/// Each field alone makes another statement: none may be missing from the digest, or evidence
/// would be taken for known and dropped.
#[test]
fn every_field_counts() {
    let reading = settings_at(at(1), "a");
    let refused = |status, code: Option<&str>, confirmed| Reading {
        outcome: Outcome::Refused {
            status,
            code: code.map(str::to_owned),
            confirmed,
        },
        ..reading.clone()
    };
    let rooted = |root| Reading {
        root: Arc::new(root),
        ..reading.clone()
    };
    let scoped = |scope| rooted(RootId { scope, ..atlas() });
    let readings = vec![
        reading.clone(),
        rooted(RootId {
            source: Source::Files,
            ..atlas()
        }),
        rooted(RootId {
            base_url: "https://other.example".to_owned(),
            ..atlas()
        }),
        scoped(Scope::Org("o".to_owned())),
        scoped(Scope::Org("p".to_owned())),
        scoped(Scope::Projects(Vec::new())),
        scoped(Scope::Projects(vec!["o".to_owned()])),
        scoped(Scope::Projects(vec!["o".to_owned(), "p".to_owned()])),
        Reading {
            project: None,
            ..reading.clone()
        },
        Reading {
            project: Some(Arc::from("b")),
            ..reading.clone()
        },
        Reading {
            cluster: Some(Arc::from("b")),
            ..reading.clone()
        },
        Reading {
            at: at(2),
            ..reading.clone()
        },
        Reading {
            run: Arc::from("other"),
            ..reading.clone()
        },
        Reading {
            identity: Some(Arc::from("")),
            ..reading.clone()
        },
        Reading {
            outcome: Outcome::Partial(Gap::Filtered),
            ..reading.clone()
        },
        Reading {
            outcome: Outcome::Partial(Gap::ClockSkew),
            ..reading.clone()
        },
        refused(404, None, false),
        refused(403, None, false),
        refused(404, Some("CODE"), false),
        refused(404, None, true),
        Reading {
            content: Arc::new(Content::Project),
            ..reading.clone()
        },
    ];
    let mut store = memory();
    let facts: Vec<_> = readings.iter().cloned().map(Fact::Reading).collect();
    import_all(&mut store, &facts);
    import_all(&mut store, &facts);
    let kept = evidence(&store, at(9));
    let lists = kept.roots.iter().flat_map(|root| &root.lists);
    let kept: Vec<_> = lists.chain(kept.projects.values().flatten()).collect();
    assert_eq!(kept.len(), readings.len());
    for reading in &readings {
        assert!(kept.contains(&reading), "{reading:?}");
    }

    let observation = enabled_at(at(1));
    let said = |condition| Observation {
        condition,
        ..observation.clone()
    };
    let unknown = |reason, detail: Option<&str>| {
        said(Condition::Unknown {
            reason,
            detail: detail.map(str::to_owned),
        })
    };
    let observations = vec![
        observation.clone(),
        Observation {
            key: "kmip://hsm/1".parse().unwrap(),
            ..observation.clone()
        },
        Observation {
            at: at(2),
            ..observation.clone()
        },
        said(Condition::Enabled {
            expires: Some(at(7)),
        }),
        said(Condition::Disabled),
        unknown(UnknownReason::NotFound, None),
        unknown(UnknownReason::Throttled, None),
        unknown(UnknownReason::Throttled, Some("d")),
        Observation {
            native: Some(String::new()),
            ..observation.clone()
        },
        Observation {
            endpoint: "e".to_owned(),
            ..observation.clone()
        },
        Observation {
            identity: Some(String::new()),
            ..observation.clone()
        },
        Observation {
            related: vec!["kmip://hsm/1".parse().unwrap()],
            ..observation.clone()
        },
        Observation {
            stale_at: Some(at(7)),
            ..observation.clone()
        },
    ];
    let facts: Vec<_> = observations
        .iter()
        .cloned()
        .map(Fact::Observation)
        .collect();
    import_all(&mut store, &facts);
    import_all(&mut store, &facts);
    let kept = evidence(&store, at(9)).observations;
    assert_eq!(kept.len(), observations.len());
    for observation in &observations {
        assert!(kept.contains(observation), "{observation:?}");
    }
}

/// Many of each kind in one store, so that what one says cannot end up with another.
#[test]
fn every_kind_of_content_comes_back_as_it_was() {
    let mut runner = TestRunner::deterministic();
    let mut readings = Vec::new();
    for kind in contents() {
        for n in 0..64 {
            readings.push(Reading {
                content: Arc::new(kind.new_tree(&mut runner).unwrap().current()),
                // Else one would do for several that say the same.
                cluster: Some(Arc::from(n.to_string())),
                ..settings_at(at(1), "a")
            });
        }
    }
    let mut store = memory();
    let facts: Vec<_> = readings.iter().cloned().map(Fact::Reading).collect();
    import_all(&mut store, &facts);
    let mut kept: Vec<Reading> = evidence(&store, at(9))
        .projects
        .into_values()
        .flatten()
        .collect();
    assert_eq!(
        store
            .conn
            .query_row("SELECT count(DISTINCT kind) FROM content", [], |row| row
                .get::<_, i64>(0)),
        Ok(14)
    );
    let key = |reading: &Reading| format!("{reading:?}");
    kept.sort_by_key(key);
    readings.sort_by_key(key);
    assert_eq!(kept, readings);
}

#[test]
fn readings_that_say_the_same_share_their_content() {
    let mut store = memory();
    for night in 0..5 {
        import(&mut store, |import| {
            import.reading(&settings_at(at(night), "a"))
        })
        .unwrap();
    }
    let rows = dump(&store);
    let count = |table: &str| rows.iter().filter(|row| row.starts_with(table)).count();
    assert_eq!((count("content "), count("reading ")), (1, 5));
    assert_eq!(
        evidence(&store, Timestamp::MAX)
            .projects
            .values()
            .map(Vec::len)
            .sum::<usize>(),
        5
    );
}

#[test]
fn every_project_that_was_ever_named_is_there() {
    let project = |id: &str| ProjectRef {
        id: id.to_owned(),
        base_url: "https://atlas.example".to_owned(),
    };
    let mut store = memory();
    import(&mut store, |import| {
        import.reading(&settings_at(at(1), "read"))?;
        import.reading(&Reading {
            root: Arc::new(RootId {
                scope: Scope::Projects(vec!["asked".to_owned()]),
                ..atlas()
            }),
            project: None,
            content: Arc::new(Content::Projects(vec![ListedProject {
                id: "listed".to_owned(),
                name: None,
            }])),
            ..settings_at(at(2), "")
        })?;
        show(
            import,
            &project("shown"),
            "c",
            "s",
            &Sighting {
                first_at: at(3),
                last_at: at(3),
                shape: SnapshotShape::Own,
                status: SnapshotStatus::Completed,
                created_at: None,
                expires_at: None,
                keep: false,
                frequency: None,
                copied: false,
                keys: KeyColumn::Absent,
            },
        )
    })
    .unwrap();
    let named_by = |as_of| -> Vec<String> {
        let ids = evidence(&store, as_of).projects.into_keys();
        ids.map(|project| project.id).collect()
    };
    assert_eq!(named_by(at(0)), [""; 0]);
    assert_eq!(named_by(at(1)), ["read"]);
    assert_eq!(named_by(at(2)), ["asked", "listed", "read"]);
    assert_eq!(named_by(at(3)), ["asked", "listed", "read", "shown"]);
    assert_eq!(store.base_urls().unwrap(), ["https://atlas.example"]);
}

#[test]
fn observations_are_appended_and_the_same_one_is_one() {
    let mut store = memory();
    import(&mut store, |import| {
        import.observation(&enabled_at(at(1)))?;
        import.observation(&enabled_at(at(1)))?;
        import.observation(&enabled_at(at(2)))?;
        import.observation(&Observation {
            condition: Condition::Disabled,
            ..enabled_at(at(2))
        })
    })
    .unwrap();
    import(&mut store, |import| import.observation(&enabled_at(at(2)))).unwrap();
    let times = |as_of| -> Vec<Timestamp> {
        let observations = evidence(&store, as_of).observations.into_iter();
        observations.map(|observation| observation.at).collect()
    };
    assert_eq!(times(at(9)), [at(1), at(2), at(2)]);
    assert_eq!(times(at(1)), [at(1)]);
}

#[test]
fn a_forgotten_download_is_dated_and_kept_once() {
    let forgotten = Forgotten {
        id: "job".to_owned(),
        reason: "wiped".to_owned(),
        at: at(5),
    };
    let mut store = memory();
    store.forget_download(&forgotten).unwrap();
    store.forget_download(&forgotten).unwrap();
    assert!(evidence(&store, at(4)).forgotten.is_empty());
    assert!(evidence(&store, at(4)).later_exists);
    assert_eq!(evidence(&store, at(5)).forgotten, [forgotten]);
    assert!(!evidence(&store, at(5)).later_exists);
}

#[test]
fn a_hold_is_remembered_from_first_to_last() {
    let hold = |until| Hold {
        key: "k".to_owned(),
        until,
        stated: at(0),
        reason: "audit".to_owned(),
    };
    let seen = |until, last_seen| HoldSeen {
        key: "k".to_owned(),
        until,
        last_seen,
    };
    let mut store = memory();
    for when in [at(5), at(3), at(8)] {
        store
            .note_holds(&[hold(None), hold(Some(at(99)))], when)
            .unwrap();
    }
    store.note_holds(&[hold(None)], at(9)).unwrap();
    assert_eq!(evidence(&store, at(2)).holds_seen, []);
    assert_eq!(
        evidence(&store, at(4)).holds_seen,
        [seen(None, at(4)), seen(Some(at(99)), at(4))]
    );
    assert_eq!(
        evidence(&store, at(20)).holds_seen,
        [seen(None, at(9)), seen(Some(at(99)), at(8))]
    );
    assert!(!evidence(&store, at(2)).later_exists);
}

#[test]
fn a_row_that_no_type_can_say_is_named() {
    let mut store = memory();
    import(&mut store, |import| import.observation(&enabled_at(at(1)))).unwrap();
    store
        .conn
        .execute("UPDATE key SET id = 'alias/oops'", [])
        .unwrap();
    let error = store
        .view(|view| view.evidence(at(9)))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("row 1 of the store's table `key` cannot be read"),
        "{error}"
    );
}
