//! What was read again and again is worth what the store makes of it: the newest reading, and the
//! times of those before where these count. Whoever has every single reading concludes the same.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::twists::twists;
use super::{ASKED, answer, estate, kept, purpose};
use crate::assess::testing::World;
use crate::assess::testing::estates::plans;
use crate::assess::{Decided, Facts, Purpose};
use crate::model::Evidence;
use crate::model::reading::{Content, Gap, Outcome};
use crate::model::verdict::Intent;
use crate::store::StoreError;

/// A reading that there is was also made earlier.
#[derive(Clone, Debug)]
struct Again {
    project: Index,
    reading: Index,
    hours: i64,
    /// How it differs, if it does.
    how: u8,
}

fn again() -> impl Strategy<Value = Again> {
    let hours = prop_oneof![1..72_i64, 1..3_000_i64];
    (any::<Index>(), any::<Index>(), hours, any::<u8>()).prop_map(
        |(project, reading, hours, how)| Again {
            project,
            reading,
            hours,
            how,
        },
    )
}

fn read_again(world: &mut World, again: &Again) {
    let projects = world.evidence.projects.len();
    let Some(readings) = (projects > 0)
        .then(|| again.project.index(projects))
        .and_then(|no| world.evidence.projects.values_mut().nth(no))
        .filter(|readings| !readings.is_empty())
    else {
        return;
    };
    let mut earlier = readings[again.reading.index(readings.len())].clone();
    earlier.at = earlier.at.saturating_add(-again.hours * 3_600);
    earlier.run = Arc::from(format!("{} hours earlier", again.hours));
    match again.how {
        0..20 => earlier.outcome = Outcome::Partial(Gap::PageMissing),
        20..40 => {
            earlier.outcome = Outcome::Refused {
                status: 404,
                code: Some(String::from("CLUSTER_NOT_FOUND")),
                confirmed: true,
            }
        }
        40..60 => earlier.identity = None,
        60..100 => {
            if let Content::Schedule(schedule) = Arc::make_mut(&mut earlier.content) {
                schedule.restore_window_days = Some(u32::from(again.how));
            }
        }
        _ => {}
    }
    readings.push(earlier);
    readings.sort_by_key(|reading| reading.at);
}

fn decided<T>(
    evidence: &Evidence,
    world: &World,
    purpose: &Purpose,
    work: impl FnOnce(&Decided<'_>) -> T,
) -> T {
    let facts = Facts::new(evidence, &world.policy, world.as_of);
    let decided = facts.decide(purpose, |take| {
        world.rows.iter().for_each(take);
        Ok::<_, StoreError>(())
    });
    work(&decided.unwrap())
}

proptest! {
    // 256 cases, or as many as PROPTEST_CASES says.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_again_counts_once(
        plan in plans(),
        steps in twists(),
        again in vec(again(), 1..60),
    ) {
        let mut world = estate(&plan, &steps);
        again.iter().for_each(|again| read_again(&mut world, again));
        let stored = kept(&world).view(|view| view.evidence(world.as_of)).unwrap();
        let count = |evidence: &Evidence| evidence.projects.values().flatten().count();
        prop_assert!(count(&stored) <= count(&world.evidence));
        let both = |purpose: &Purpose, work: &dyn Fn(&Decided<'_>) -> String| {
            [&world.evidence, &stored].map(|evidence| decided(evidence, &world, purpose, work))
        };
        let [each, once] = both(&Purpose::Audit, &|decided| format!("{:#?}", decided.assessment()));
        prop_assert_eq!(each, once);
        for row in &world.rows {
            let [each, once] = [&world.evidence, &stored]
                .map(|of| decided(of, &world, &Purpose::Audit, |d| d.snapshot(row)));
            prop_assert_eq!(each, once);
        }
        for key in ASKED {
            let purpose = purpose(&[key], Intent::Delete);
            let [each, once] = both(&purpose, &|decided| answer(decided, Intent::Delete));
            prop_assert_eq!(each, once, "{}", key);
        }
    }
}
