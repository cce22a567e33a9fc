use super::*;

fn key(text: &str) -> Target {
    Target::Key(text.parse().unwrap())
}

fn aws(region: &str, number: usize) -> Target {
    key(&format!(
        "arn:aws:kms:{region}:111122223333:key/{number:08x}-0000-4000-8000-000000000000"
    ))
}

fn azure(vault: &str, name: &str, version: usize) -> Target {
    key(&format!(
        "https://{vault}.vault.azure.net/keys/{name}/{version:032x}"
    ))
}

fn gcp(name: &str, version: usize) -> Target {
    key(&format!(
        "projects/payments-1/locations/eu/keyRings/r/cryptoKeys/{name}/cryptoKeyVersions/{version}"
    ))
}

fn in_no_role(_: &Target) -> Option<&'static AwsRole> {
    None
}

#[test]
fn versions_of_one_key_are_one_errand() {
    let targets = vec![
        azure("one", "a", 2),
        azure("one", "a", 1),
        azure("one", "a", 2),
        azure("one", "b", 1),
        azure("two", "a", 1),
        gcp("k", 1),
        gcp("k", 2),
        gcp("l", 1),
        aws("eu-west-1", 1),
        aws("eu-west-1", 1),
        key("kmip://server/7"),
    ];
    let (asked, unsupported) = errands(
        targets,
        |target| target.provider() != Provider::Kmip,
        in_no_role,
    );
    assert_eq!(unsupported, [key("kmip://server/7")]);
    let told: Vec<Vec<Target>> = asked.iter().map(Errand::targets).collect();
    assert_eq!(
        told,
        [
            vec![aws("eu-west-1", 1)],
            vec![azure("one", "a", 1), azure("one", "a", 2)],
            vec![azure("one", "b", 1)],
            vec![azure("two", "a", 1)],
            vec![gcp("k", 1), gcp("k", 2)],
            vec![gcp("l", 1)],
        ]
    );
}

#[test]
fn all_versions_and_one_version_are_asked_together() {
    let Target::Key(KeyId::Azure(version)) = azure("one", "a", 1) else {
        panic!("an Azure key");
    };
    let all = Target::AzureKey(version.key().clone());
    let (asked, _) = errands(
        vec![all.clone(), azure("one", "a", 1)],
        |_| true,
        in_no_role,
    );
    let [errand] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert_eq!(errand.targets(), [azure("one", "a", 1), all]);
}

/// Which lane each errand in turn is of, as long as none is done.
fn taken(turns: &mut Turns) -> Vec<String> {
    std::iter::from_fn(|| turns.next())
        .map(|errand| {
            let lane = errand.lane();
            format!("{} {}", lane.provider.word(), lane.place)
        })
        .collect()
}

fn turns(targets: Vec<Target>, places: usize) -> Turns {
    Turns::new(errands(targets, |_| true, in_no_role).0, places)
}

#[test]
fn every_provider_has_its_own_places_and_its_lanes_share_them() {
    let mut targets: Vec<Target> = (0..50).map(|number| aws("eu-west-1", number)).collect();
    targets.extend((0..50).map(|number| azure("slow", &format!("k{number}"), 1)));
    targets.push(azure("quick", "a", 1));
    targets.push(azure("quick", "b", 1));
    targets.push(gcp("k", 1));
    let mut turns = turns(targets, 4);
    let mut first = taken(&mut turns);
    first.sort();
    let slow = "azure slow.vault.azure.net";
    let quick = "azure quick.vault.azure.net";
    let aws = "aws eu-west-1";
    assert_eq!(
        first,
        [aws, aws, aws, aws, quick, quick, slow, slow, "gcp "]
    );

    // The quick vault has nothing left: the slow one gets what becomes free.
    let lane = |name: &str| Lane {
        provider: Provider::Azure,
        place: format!("{name}.vault.azure.net"),
    };
    turns.done(&lane("quick"));
    turns.done(&lane("quick"));
    assert_eq!(taken(&mut turns), [slow, slow]);
    // New work of the quick vault comes before more of the slow one.
    for more in ["c", "d", "e"] {
        let (errands, _) = errands(vec![azure("quick", more, 1)], |_| true, in_no_role);
        turns.push(errands[0].clone());
    }
    turns.done(&lane("slow"));
    turns.done(&lane("slow"));
    assert_eq!(taken(&mut turns), [quick, quick]);
    let rest = turns.rest().count();
    assert_eq!(rest, 46 + 46 + 1);
}

#[test]
fn lanes_with_equally_many_under_way_take_turns() {
    let mut targets: Vec<Target> = (0..9).map(|number| aws("eu-west-1", number)).collect();
    targets.extend((0..9).map(|number| aws("us-east-1", number)));
    targets.extend((0..9).map(|number| aws("ap-south-1", number)));
    let mut turns = turns(targets, 1);
    let mut order = Vec::new();
    while let Some(errand) = turns.next() {
        order.push(errand.lane().place.clone());
        turns.done(&errand.lane());
    }
    assert_eq!(order.len(), 27);
    for three in order.chunks(3) {
        let regions: BTreeSet<&String> = three.iter().collect();
        assert_eq!(regions.len(), 3, "{order:?}");
    }
}
