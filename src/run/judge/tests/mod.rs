//! Reading the snapshots that an answer needs gives the answer that reading all of them gives: for
//! every key of generated estates, kept in a real store.

mod nights;
mod twists;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::judged;
use crate::assess::testing::estates::{EstatePlan, KEYS, build, plans};
use crate::assess::testing::*;
use crate::assess::{Decided, Facts, Found, Purpose, RotationInput};
use crate::error::Error;
use crate::model::intake::{Intake, Shown};
use crate::model::policy::HOUR;
use crate::model::verdict::{Deletability, DependantKind, DoubtKind, Intent, KeyRow, UnitVerdict};
use crate::model::{Policy, Snapshot, Timestamp};
use crate::store::{Import, Location, Store, StoreError};
use twists::{Twist, twist, twists};

/// Every key of the estates, and what is no complete key.
const ASKED: [&str; 18] = [
    KEYS[0],
    KEYS[1],
    KEYS[2],
    KEYS[3],
    KEYS[4],
    KEYS[5],
    KEYS[6],
    KEYS[7],
    KEYS[8],
    KEYS[9],
    UUID_A,
    MRK_ID,
    "https://pay.vault.azure.net/keys/backup",
    "11111111111111111111111111111111",
    "projects/pay/locations/global/keyRings/ring/cryptoKeys/backup",
    GCP_1_BY_NUMBER,
    "something else",
    "kmip://main/something%20else",
];

fn kept(world: &World) -> Store {
    let mut store = Store::create(&Location::Memory).unwrap();
    let imported: Result<(), StoreError> = store.import(world.as_of, |import| {
        for root in &world.evidence.roots {
            root.lists
                .iter()
                .try_for_each(|list| import.reading(list))?;
        }
        for readings in world.evidence.projects.values() {
            readings.iter().try_for_each(|r| import.reading(r))?;
        }
        for observation in &world.evidence.observations {
            import.observation(observation)?;
        }
        world.rows.iter().try_for_each(|row| show(import, row))
    });
    imported.unwrap();
    store
}

fn show(import: &mut Import<'_>, row: &Snapshot) -> Result<(), StoreError> {
    for sighting in &row.sightings {
        for at in [sighting.first_at, sighting.last_at] {
            import.snapshot(&Shown {
                project: &row.project,
                cluster: &row.cluster,
                id: &row.id,
                at,
                shape: sighting.shape,
                status: sighting.status.clone(),
                created_at: sighting.created_at,
                expires_at: sighting.expires_at,
                keep: sighting.keep,
                frequency: sighting.frequency.as_deref(),
                copied: sighting.copied,
                version: None,
                keys: sighting.keys.clone(),
            })?;
        }
    }
    Ok(())
}

/// The same of all snapshots, read from one end to the other.
fn from_all<T>(
    store: &Store,
    world: &World,
    purpose: &Purpose,
    work: impl FnOnce(&Decided<'_>) -> T,
) -> T {
    let done: Result<T, Error> = store.view(|view| {
        let evidence = view.evidence(world.as_of)?;
        let facts = Facts::new(&evidence, &world.policy, world.as_of);
        let decided = facts.decide(purpose, super::rows(view, world.as_of))?;
        Ok(work(&decided))
    });
    done.unwrap()
}

fn from_needed<T>(
    store: &Store,
    world: &World,
    purpose: &Purpose,
    work: impl FnOnce(&Decided<'_>) -> T,
) -> T {
    let done = judged(
        store,
        &world.policy,
        world.as_of,
        purpose,
        |_view, decided| Ok(work(decided)),
    );
    done.unwrap()
}

/// Everything that a check or a rotation says.
fn answer(decided: &Decided<'_>, intent: Intent) -> String {
    match (decided.argument(0), intent) {
        (Some(Found::One { unit, key }), Intent::Delete | Intent::Disable) => {
            format!("{:#?}", decided.check(intent, &unit, key.as_ref()))
        }
        (Some(Found::Unresolved(spelling)), Intent::Delete | Intent::Disable) => {
            format!("{:#?}", decided.check_unresolved(intent, &spelling))
        }
        (Some(Found::One { unit, key }), Intent::Rotate) => {
            let input = RotationInput {
                old: unit,
                old_key: key,
                new: decided.argument(1),
                new_text: Some(String::from("new")),
            };
            format!("{:#?}", decided.rotation(&input))
        }
        (found, _) => format!("{found:#?}"),
    }
}

fn purpose(keys: &[&str], intent: Intent) -> Purpose {
    Purpose::Check {
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        intent,
        limit: 200,
    }
}

fn compare(world: &World) -> Result<(), TestCaseError> {
    let store = kept(world);
    let world = &World {
        // The same age for an audit and a check.
        policy: Policy {
            max_inventory_age: HOUR,
            ..world.policy.clone()
        },
        ..world.clone()
    };
    let audit = from_needed(&store, world, &Purpose::Audit, |d| d.assessment());
    let of_all = from_all(&store, world, &Purpose::Audit, |d| d.assessment());
    prop_assert_eq!(&audit, &of_all);
    let rows: BTreeMap<String, UnitVerdict> = of_all
        .keys
        .into_iter()
        .filter_map(|row| match row {
            KeyRow::Resolved(row) => Some((row.key.to_string(), row.verdict)),
            KeyRow::Unresolved { .. } => None,
        })
        .collect();
    for (no, key) in ASKED.into_iter().enumerate() {
        let purpose = purpose(&[key], Intent::Delete);
        let both = |decided: &Decided<'_>| {
            let verdict = match decided.argument(0) {
                Some(Found::One { unit, key: _ }) => {
                    Some((decided.unit(&unit), decided.keys_of(&unit)))
                }
                Some(Found::Several(_) | Found::Unresolved(_) | Found::Alias(_)) | None => None,
            };
            (answer(decided, Intent::Delete), verdict)
        };
        let (needed, of_needed) = from_needed(&store, world, &purpose, both);
        let (all, of_all) = from_all(&store, world, &purpose, both);
        prop_assert_eq!(needed, all, "{}", key);
        prop_assert_eq!(&of_needed, &of_all, "{}", key);
        if let (Some((verdict, _keys)), Some(row)) = (&of_needed, rows.get(key)) {
            prop_assert_eq!(told(verdict), told(row), "{}", key);
        }
        if no < 2 {
            let new = ASKED[(no * 7 + 3) % ASKED.len()];
            let purpose = super::tests::purpose(&[key, new], Intent::Rotate);
            let needed = from_needed(&store, world, &purpose, |d| answer(d, Intent::Rotate));
            let all = from_all(&store, world, &purpose, |d| answer(d, Intent::Rotate));
            prop_assert_eq!(needed, all, "{} to {}", key, new);
        }
    }
    Ok(())
}

/// What the row of a key and a check have in common.
fn told(of: &UnitVerdict) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut kinds: Vec<DoubtKind> = of.doubts.iter().map(|doubt| doubt.kind).collect();
    kinds.dedup();
    let lost = (of.lost, of.lost_snapshots);
    (of.verdict, of.safe_after, of.counts, kinds, lost)
}

fn estate(plan: &EstatePlan, steps: &[Twist]) -> World {
    let mut world = build(plan);
    for step in steps {
        twist(&mut world, step);
    }
    world
}

proptest! {
    // 256 cases, or as many as PROPTEST_CASES says.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn needed_snapshots_tell_what_all_of_them_tell(plan in plans(), steps in twists()) {
        compare(&estate(&plan, &steps))?;
    }
}

/// Verdicts and doubts of all kinds turn up, or the property says nothing of them.
#[test]
fn the_estates_reach_what_the_choice_is_about() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut verdicts = BTreeMap::<_, usize>::new();
    let mut doubts = BTreeMap::<_, usize>::new();
    let mut dependants = BTreeMap::<_, usize>::new();
    for _ in 0..300 {
        let plan = plans().new_tree(&mut runner).unwrap().current();
        let steps = twists().new_tree(&mut runner).unwrap().current();
        for verdict in estate(&plan, &steps).units(&KEYS).into_values() {
            *verdicts.entry(verdict.verdict).or_default() += 1;
            for doubt in verdict.doubts {
                *doubts.entry(doubt.kind).or_default() += 1;
            }
            for kind in DependantKind::ALL {
                if verdict.counts.of(kind) > 0 {
                    *dependants.entry(kind).or_default() += 1;
                }
            }
        }
    }
    for verdict in Deletability::ALL {
        assert!(verdicts.contains_key(&verdict), "{verdicts:?}");
    }
    for doubt in [
        DoubtKind::HistoryTooShort,
        DoubtKind::LapsedSnapshot,
        DoubtKind::MaybeMatch,
        DoubtKind::PitSuccessorUnseen,
        DoubtKind::RotationUnderWay,
        DoubtKind::UnrecordedKey,
        DoubtKind::UnresolvedKey,
        DoubtKind::CopyRetentionUnknown,
    ] {
        assert!(doubts.contains_key(&doubt), "{doubt:?} {doubts:?}");
    }
    for kind in [
        DependantKind::Snapshot,
        DependantKind::SnapshotCopy,
        DependantKind::PitWindow,
        DependantKind::Download,
        DependantKind::RestoreJob,
    ] {
        assert!(dependants.contains_key(&kind), "{kind:?} {dependants:?}");
    }
}

/// A choice that was made for one key is no answer about another.
#[test]
fn keys_that_were_not_looked_into_are_never_safe() {
    let world = World::new()
        .enabled(&[AWS_A])
        .row(snap("s1"))
        .row(gone_snap("s2", |s| s.keys = named(&[AWS_B])));
    let store = kept(&world);
    let of = |asked: &str| {
        from_needed(
            &store,
            &world,
            &purpose(&[asked], Intent::Delete),
            |decided| line(&decided.unit(&key(AWS_B).unit())),
        )
    };
    assert_eq!(of(AWS_B), "safe");
    assert_eq!(of(AWS_A), "unknown ?estate-incomplete");
}

/// What was learned after an instant cannot be looked up without it: all snapshots are read.
#[test]
fn an_earlier_instant_reads_all_snapshots() {
    let world = World::new().enabled(&[AWS_A]).row(snap("s1"));
    let store = kept(&world);
    let shelved = |as_of: Timestamp| {
        let is_there: Result<bool, StoreError> =
            store.view(|view| Ok(view.shelved(as_of)?.is_some()));
        is_there.unwrap()
    };
    assert!(shelved(world.as_of));
    assert!(!shelved(days(-1)));
}
