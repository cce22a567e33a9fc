//! The property that matters most (design 6.2): with less evidence, older evidence or a non-answer
//! in the place of an answer, no snapshot becomes `restorable` and no key `safe`.
//!
//! Two readings of it are meant here. A key that is `gone` with nothing left to lose is not
//! counted as turned when a non-answer hides that it is destroyed: nothing needs it either way.
//! And settings that were never read at all are taken to be required where a service was asked.

mod lessened;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use lessened::{Less, less, lessen};

use crate::assess::testing::World;
use crate::assess::testing::estates::{KEYS, build, plans};
use crate::model::verdict::{Deletability, Restorability, UnitVerdict, Until};

/// Restorable snapshots, and keys that nothing needs and nothing is doubtful of.
#[derive(Debug, PartialEq, Eq)]
struct Passed {
    restorable: BTreeSet<(String, String, String)>,
    safe: BTreeSet<&'static str>,
}

impl Passed {
    fn of(world: &World, as_safe: impl Fn(&UnitVerdict) -> bool) -> Self {
        let audit = world.audit();
        Self {
            restorable: audit
                .snapshots
                .into_iter()
                .filter(|s| s.verdict == Restorability::Restorable)
                .map(|s| (s.project.id, s.cluster, s.id))
                .collect(),
            safe: world
                .units(&KEYS)
                .into_iter()
                .filter(|(_, verdict)| as_safe(verdict))
                .map(|(key, _)| key)
                .collect(),
        }
    }
}

fn is_safe(verdict: &UnitVerdict) -> bool {
    verdict.verdict == Deletability::Safe
}

fn is_free(verdict: &UnitVerdict) -> bool {
    verdict.counts.total() == 0 && verdict.doubts.is_empty()
}

fn check(world: &World, steps: &[Less]) -> Result<(), TestCaseError> {
    let before = Passed::of(world, is_free);
    let mut lessened = world.clone();
    for step in steps {
        lessen(&mut lessened, step);
    }
    let after = Passed::of(&lessened, is_safe);
    let restorable: Vec<_> = after.restorable.difference(&before.restorable).collect();
    prop_assert!(restorable.is_empty(), "restorable: {restorable:?}");
    let safe: Vec<_> = after.safe.difference(&before.safe).collect();
    prop_assert!(safe.is_empty(), "safe: {safe:?}");
    Ok(())
}

proptest! {
    // 256 cases, or as many as PROPTEST_CASES says.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn less_evidence_never_makes_anything_pass(
        plan in plans(),
        steps in proptest::collection::vec(less(), 1..4),
    ) {
        let world = build(&plan);
        // Each step alone, and all of them.
        for step in &steps {
            check(&world, std::slice::from_ref(step))?;
        }
        check(&world, &steps)?;
    }

    #[test]
    fn the_order_of_the_evidence_is_immaterial(plan in plans(), seed in any::<u64>()) {
        let world = build(&plan);
        let mut other = world.clone();
        let mut turn = Turn(seed);
        turn.shuffle(&mut other.rows);
        for row in &mut other.rows {
            turn.shuffle(&mut row.sightings);
        }
        turn.shuffle(&mut other.evidence.observations);
        for readings in other.evidence.projects.values_mut() {
            turn.shuffle(readings);
            // The store gives them in order of time.
            readings.sort_by_key(|r| r.at);
        }
        let (one, two) = (world.audit(), other.audit());
        prop_assert_eq!(&one.all, &two.all);
        let by_id = |audit: crate::assess::testing::Audit| {
            let all = audit.snapshots.into_iter();
            all.map(|s| ((s.project.clone(), s.id.clone()), s)).collect::<BTreeMap<_, _>>()
        };
        prop_assert_eq!(by_id(one), by_id(two));
        prop_assert_eq!(world.units(&KEYS), other.units(&KEYS));
    }

    #[test]
    fn nothing_is_needed_after_its_safe_date(plan in plans()) {
        let world = build(&plan);
        for key in KEYS {
            let verdict = world.check(key);
            let counted = verdict.counts.total();
            prop_assert_eq!(u64::try_from(verdict.dependants.len()).unwrap(), counted);
            if verdict.verdict != Deletability::Held {
                prop_assert!(counted == 0 || verdict.verdict == Deletability::Gone);
                continue;
            }
            let latest = verdict.dependants.iter().map(|d| d.until).max();
            let promised = verdict.safe_after.date().map_or(Until::Indefinite, Until::At);
            prop_assert_eq!(Some(promised), latest);
            let exact = matches!(verdict.safe_after, crate::model::verdict::SafeAfter::Date(_));
            prop_assert!(!exact || verdict.doubts.is_empty());
        }
    }
}

/// A small generator for shuffling.
struct Turn(u64);

impl Turn {
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let other = usize::try_from(self.0 >> 33).unwrap() % (last + 1);
            items.swap(last, other);
        }
    }
}

/// Every verdict turns up in at least one estate of twenty, or the property says nothing of it.
#[test]
fn the_generator_reaches_every_verdict() {
    const ESTATES: usize = 400;
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut snapshots: BTreeMap<Restorability, usize> = BTreeMap::new();
    let mut keys: BTreeMap<Deletability, usize> = BTreeMap::new();
    for _ in 0..ESTATES {
        let world = build(&plans().new_tree(&mut runner).unwrap().current());
        let of_snapshots: BTreeSet<Restorability> =
            world.audit().snapshots.iter().map(|s| s.verdict).collect();
        for verdict in of_snapshots {
            *snapshots.entry(verdict).or_default() += 1;
        }
        let of_keys: BTreeSet<Deletability> =
            world.units(&KEYS).values().map(|v| v.verdict).collect();
        for verdict in of_keys {
            *keys.entry(verdict).or_default() += 1;
        }
    }
    for verdict in Restorability::ALL {
        let met = snapshots.get(&verdict).copied().unwrap_or(0);
        assert!(met * 20 >= ESTATES, "{} {met}", verdict.word());
    }
    for verdict in Deletability::ALL {
        let met = keys.get(&verdict).copied().unwrap_or(0);
        assert!(met * 20 >= ESTATES, "{} {met}", verdict.word());
    }
    assert!(keys[&Deletability::Safe] * 4 >= ESTATES, "{keys:?}");
}
