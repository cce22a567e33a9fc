//! `check OLD --for rotate [--to NEW]`.

use crate::assess::testing::*;
use crate::model::evidence::{Condition, UnknownReason};

fn verdict(old: Option<Condition>, needed: bool, new: Option<Condition>) -> &'static str {
    let mut world = World::new();
    if needed {
        world = world.row(snap("s1"));
    }
    if let Some(condition) = old {
        world = world.observe(observed(AWS_A, minutes(-30), condition));
    }
    if let Some(condition) = new {
        world = world.observe(observed(AWS_B, minutes(-30), condition));
    }
    world.rotate(AWS_A, Some(AWS_B)).verdict.word()
}

#[test]
fn old_is_usable_or_free_and_not_on_its_way_out() {
    let unwrap = Condition::UnwrapOnly {
        why: String::from("expired"),
    };
    let dark = unknown(UnknownReason::AccessDenied);
    // (old, verdict if needed, verdict if free)
    let table = [
        (Some(ENABLED), "pass", "pass"),
        (Some(Condition::Disabled), "fail", "pass"),
        (Some(unwrap), "fail", "pass"),
        (Some(Condition::MaterialMissing), "fail", "pass"),
        (Some(Condition::Unavailable { what: None }), "fail", "pass"),
        (Some(pending(days(3))), "fail", "fail"),
        (Some(Condition::SoftDeleted { purge: None }), "fail", "fail"),
        (Some(destroyed()), "fail", "fail"),
        (Some(Condition::Transient), "unknown", "unknown"),
        (Some(dark), "unknown", "unknown"),
        (None, "unknown", "unknown"),
    ];
    for (old, needed, free) in table {
        assert_eq!(verdict(old.clone(), true, Some(ENABLED)), needed, "{old:?}");
        assert_eq!(verdict(old.clone(), false, Some(ENABLED)), free, "{old:?}");
    }
}

#[test]
fn new_is_enabled_by_a_fresh_answer() {
    let table = [
        (Some(ENABLED), "pass"),
        (Some(Condition::Disabled), "fail"),
        (Some(pending(days(3))), "fail"),
        (Some(destroyed()), "fail"),
        (Some(Condition::Transient), "unknown"),
        (Some(unknown(UnknownReason::NotFound)), "unknown"),
        (None, "unknown"),
    ];
    for (new, expected) in table {
        assert_eq!(
            verdict(Some(ENABLED), true, new.clone()),
            expected,
            "{new:?}"
        );
    }
}

#[test]
fn answers_must_be_fresh() {
    let world = |old: i64, new: i64| {
        World::new()
            .row(snap("s1"))
            .observe(observed(AWS_A, hours(old), ENABLED))
            .observe(observed(AWS_B, hours(new), ENABLED))
    };
    for (old, new, expected) in [
        (-24, -24, "pass"),
        (-25, -1, "unknown"),
        (-1, -25, "unknown"),
    ] {
        let rotation = world(old, new).rotate(AWS_A, Some(AWS_B));
        assert_eq!(rotation.verdict.word(), expected, "{old} {new}");
    }
}

#[test]
fn a_key_that_may_still_be_needed_must_be_usable() {
    let world = World::new().without("schedule").observe(observed(
        AWS_A,
        minutes(-30),
        Condition::Disabled,
    ));
    assert_eq!(world.rotate(AWS_A, None).verdict.word(), "unknown");
}

#[test]
fn without_a_new_key_only_the_old_one_is_looked_at() {
    let world = World::new().row(snap("s1")).enabled(&[AWS_A]);
    let rotation = world.rotate(AWS_A, None);
    assert_eq!(rotation.verdict.word(), "pass");
    assert!(rotation.to.is_none());
    assert_eq!(rotation.keep_until.date(), Some(days(3)));
    assert_eq!(rotation.keep_until.word(), "date");
}

#[test]
fn new_is_another_key() {
    // (old, new, verdict)
    let table = [
        (AWS_A, AWS_A, "fail"),
        (MRK_US, MRK_EU, "fail"),
        (AZURE_1, AZURE_1, "fail"),
        // A new version of a Key Vault key is another key.
        (AZURE_1, AZURE_2, "pass"),
        (GCP_1, GCP_2, "pass"),
        (AWS_A, GCP_1, "pass"),
    ];
    for (old, new, expected) in table {
        let world = World::new().enabled(&[old]).enabled(&[new]);
        let verdict = world.rotate(old, Some(new)).verdict.word();
        assert_eq!(verdict, expected, "{old} {new}");
    }
    // Which version?
    let unit = AZURE_1.rsplit_once('/').unwrap().0;
    let world = World::new().enabled(&[AZURE_1, AZURE_2]);
    assert_eq!(world.rotate(AZURE_1, Some(unit)).verdict.word(), "unknown");
}

#[test]
fn an_unresolved_new_key_is_unknown() {
    let world = World::new().enabled(&[AWS_A]);
    for new in ["eeeeeeee-5555-4555-8555-eeeeeeeeeeee", "alias/next"] {
        let rotation = world.rotate(AWS_A, Some(new));
        assert_eq!(rotation.verdict.word(), "unknown", "{new}");
        assert_eq!(rotation.to.map(|to| to.id), Some(new.to_owned()));
    }
}
