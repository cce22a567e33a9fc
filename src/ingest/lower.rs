//! Objects of the Atlas wire other than snapshots, lowered to what the model keeps: projects,
//! clusters of every API version, encryption-at-rest settings, schedules, events, restore jobs
//! and the compliance policy. Only the fields named here are ever taken out of an answer; the
//! secrets that settings and restore jobs carry are not among them.
//!
//! A damaged optional field leaves its record in place and is told as a flaw.

use super::node::{Fields, Node, fault};
use crate::model::Provider;
use crate::model::reading::{
    ClusterEncryption, ClusterState, CompliancePolicy, CopyItem, CopySetting, Delivery, Event,
    ExtraRetention, KeySettings, ListedProject, RestoreJob, Retention, RetentionUnit, Schedule,
};

/// A lowered record and what was wrong with it.
pub(super) type Lowered<T> = Result<(T, Vec<String>), String>;

/// A row of "Return All Projects" with the organisation that it names.
pub(super) fn project(node: &Node) -> Lowered<(ListedProject, Option<String>)> {
    let mut fields = Fields::of(node)?;
    let id = required(&mut fields, "id")?;
    let project = ListedProject {
        id,
        name: owned(fields.text("name")),
    };
    let org = owned(fields.text("orgId"));
    Ok(((project, org), fields.into_flaws()))
}

/// A cluster of any API version, a Flex cluster or a serverless instance.
pub(super) fn cluster(node: &Node) -> Lowered<ClusterState> {
    let mut fields = Fields::of(node)?;
    let name = required(&mut fields, "name")?;
    let sharded = match fields.text("clusterType") {
        Some("SHARDED" | "GEOSHARDED") => Some(true),
        Some("REPLICASET") => Some(false),
        Some(_) | None => None,
    };
    let encryption = fields
        .text("encryptionAtRestProvider")
        .map(|word| match word {
            "NONE" => ClusterEncryption::None,
            "AWS" => ClusterEncryption::Provider(Provider::Aws),
            "AZURE" => ClusterEncryption::Provider(Provider::Azure),
            "GCP" => ClusterEncryption::Provider(Provider::Gcp),
            other => ClusterEncryption::Unrecognised(other.to_owned()),
        });
    // API version 2023-01-01 has cloud backup in `providerBackupEnabled` and legacy backup in
    // `backupEnabled`; Flex nests it.
    let of_flex = match fields.any("backupSettings").map(Fields::of) {
        Some(Ok(mut settings)) => settings.flag("enabled"),
        Some(Err(_)) | None => None,
    };
    let backups = [
        fields.flag("backupEnabled"),
        fields.flag("providerBackupEnabled"),
        of_flex,
    ];
    let cluster = ClusterState {
        id: owned(fields.text("id")),
        name,
        sharded,
        state: owned(fields.text("stateName")),
        encryption,
        backup_enabled: backups.into_iter().flatten().reduce(|a, b| a | b),
        pit_enabled: fields.flag("pitEnabled"),
        paused: fields.flag("paused"),
        dedicated: dedicated(node),
        version: readable(node.get("mongoDBVersion")),
        instance_size: instance_size(node),
    };
    Ok((cluster, fields.into_flaws()))
}

/// Dedicated unless every region's provider is stated to be a shared one.
fn dedicated(node: &Node) -> bool {
    let mut regions = Vec::new();
    for spec in list(node, "replicationSpecs") {
        for region in list(spec, "regionConfigs") {
            regions.push(region.get("providerName").and_then(Node::as_text));
        }
    }
    if let Some(settings) = node.get("providerSettings") {
        regions.extend(settings.get("providerName").map(Node::as_text));
    }
    regions.is_empty()
        || regions
            .into_iter()
            .any(|provider| !matches!(provider, Some("TENANT" | "FLEX" | "SERVERLESS")))
}

/// The size of the first region that names one: Atlas does not mix dedicated and shared sizes in
/// one cluster. API version 2023-01-01 has it in `providerSettings`.
fn instance_size(node: &Node) -> Option<String> {
    let regions = list(node, "replicationSpecs")
        .iter()
        .flat_map(|spec| list(spec, "regionConfigs"));
    let electable = regions.filter_map(|region| region.get("electableSpecs")?.get("instanceSize"));
    let settings = node.get("providerSettings");
    electable
        .chain(settings.and_then(|settings| settings.get("instanceSizeName")))
        .find_map(|size| readable(Some(size)))
}

/// A text that only `--restore-to` wants: one that cannot be read is no flaw of its list.
fn readable(node: Option<&Node>) -> Option<String> {
    let text = node.and_then(Node::as_text)?;
    (!text.is_empty() && fault(text).is_none()).then(|| text.to_owned())
}

/// Whether the object is a Flex cluster or a serverless instance by its own account.
pub(super) fn is_shared_cluster(node: &Node) -> bool {
    let provider = node
        .get("providerSettings")
        .and_then(|settings| settings.get("providerName"))
        .and_then(Node::as_text);
    matches!(provider, Some("FLEX" | "SERVERLESS")) && !node.has("replicationSpecs")
}

/// The three blocks of "Return One Configuration for Encryption at Rest": member, provider, and
/// the field with the key.
const BLOCKS: [(&str, Provider, &str); 3] = [
    ("awsKms", Provider::Aws, "customerMasterKeyID"),
    ("azureKeyVault", Provider::Azure, "keyIdentifier"),
    ("googleCloudKms", Provider::Gcp, "keyVersionResourceID"),
];

/// A project's encryption-at-rest settings. A block that is not there is left out; an answer
/// without any block is none of settings.
pub(super) fn settings(node: &Node) -> Lowered<Vec<KeySettings>> {
    let mut fields = Fields::of(node)?;
    let mut blocks = Vec::new();
    for (member, provider, key_field) in BLOCKS {
        let Some(value) = fields.any(member) else {
            continue;
        };
        let mut block = match Fields::of(value) {
            Ok(block) => block,
            Err(why) => {
                fields.flaw(format!("`{member}` {why}"));
                continue;
            }
        };
        let key = owned(block.text(key_field));
        // A key beside an `enabled` that is not there or cannot be read counts as current.
        let enabled = block
            .flag("enabled")
            .unwrap_or_else(|| key.is_some() || value.has("enabled") || value.has(key_field));
        let region = match provider {
            Provider::Aws => block.text("region").map(aws_region),
            Provider::Azure | Provider::Gcp | Provider::Kmip => None,
        };
        let valid = block.flag("valid");
        for flaw in block.into_flaws() {
            fields.flaw(format!("`{member}`: {flaw}"));
        }
        blocks.push(KeySettings {
            provider,
            enabled,
            key,
            region,
            valid,
        });
    }
    let flaws = fields.into_flaws();
    if blocks.is_empty() && flaws.is_empty() {
        return Err("has none of `awsKms`, `azureKeyVault` and `googleCloudKms`".to_owned());
    }
    Ok((blocks, flaws))
}

/// Atlas writes `US_EAST_1`, AWS `us-east-1`.
fn aws_region(region: &str) -> String {
    region.to_ascii_lowercase().replace('_', "-")
}

/// Members of which a schedule has at least one.
const SCHEDULE_MEMBERS: [&str; 6] = [
    "policies",
    "restoreWindowDays",
    "referenceHourOfDay",
    "clusterName",
    "clusterId",
    "copySettings",
];

/// A cloud backup schedule with the cluster that it names.
pub(super) fn schedule(node: &Node) -> Lowered<(Schedule, Option<String>)> {
    let mut fields = Fields::of(node)?;
    if !SCHEDULE_MEMBERS.iter().any(|member| node.has(member)) {
        return Err("is no backup schedule".to_owned());
    }
    let restore_window_days = fields.count("restoreWindowDays");
    let mut extra_retention = Vec::new();
    for setting in fields.list("extraRetentionSettings") {
        let read = Fields::of(setting).map(|mut setting| {
            let frequency = setting.text("frequencyType").unwrap_or_default();
            let extra = (frequency.to_lowercase(), setting.count("retentionDays"));
            (extra, setting.into_flaws())
        });
        match read {
            Ok(((frequency, Some(days)), flaws)) => {
                extra_retention.push(ExtraRetention { frequency, days });
                flaws.into_iter().for_each(|flaw| fields.flaw(flaw));
            }
            Ok(((_, None), _)) => {
                fields.flaw("an extra retention names no days".to_owned());
            }
            Err(why) => fields.flaw(format!("an extra retention {why}")),
        }
    }
    let mut copies = Vec::new();
    for setting in fields.list("copySettings") {
        match copy_setting(setting) {
            Ok((copy, flaws)) => {
                copies.push(copy);
                flaws.into_iter().for_each(|flaw| fields.flaw(flaw));
            }
            Err(why) => fields.flaw(format!("a copy setting {why}")),
        }
    }
    let cluster = owned(fields.text("clusterName"));
    let schedule = Schedule {
        restore_window_days,
        extra_retention,
        copies,
    };
    Ok(((schedule, cluster), fields.into_flaws()))
}

fn copy_setting(node: &Node) -> Lowered<CopySetting> {
    let mut fields = Fields::of(node)?;
    let mut items = Vec::new();
    for item in fields.list("copyPolicyItems") {
        let mut item = match Fields::of(item) {
            Ok(item) => item,
            Err(why) => {
                fields.flaw(format!("a copy policy item {why}"));
                continue;
            }
        };
        let unit_word = item.text("retentionUnit");
        let unit = unit_word.and_then(retention_unit);
        let value = item.count("retentionValue");
        let retention = unit
            .zip(value)
            .map(|(unit, value)| Retention { unit, value });
        let frequency = item
            .text("frequencyType")
            .unwrap_or_default()
            .to_lowercase();
        if retention.is_none() || frequency.is_empty() {
            item.flaw("a copy policy item names no frequency or no retention".to_owned());
        }
        item.into_flaws().into_iter().for_each(|f| fields.flaw(f));
        items.push(CopyItem {
            frequency,
            retention,
        });
    }
    let by_number = match fields.any("lastNumberOfSnapshots") {
        None => false,
        // What cannot be read may be a number of copies.
        Some(_) => fields.count("lastNumberOfSnapshots") != Some(0),
    };
    Ok((CopySetting { items, by_number }, fields.into_flaws()))
}

fn retention_unit(word: &str) -> Option<RetentionUnit> {
    RetentionUnit::ALL
        .into_iter()
        .find(|unit| unit.word().eq_ignore_ascii_case(word))
}

/// An event, and whether it bears on keys.
pub(super) fn event(node: &Node) -> Lowered<(Event, bool)> {
    let mut fields = Fields::of(node)?;
    let kind = required(&mut fields, "eventTypeName")?;
    let Some(at) = fields.sighting("created") else {
        let why = fields.into_flaws().into_iter().next_back();
        return Err(why.unwrap_or_else(|| "has no `created`".to_owned()));
    };
    let bears = kind.contains("ENCRYPTION") || kind.contains("KMIP");
    Ok(((Event { at, kind }, bears), fields.into_flaws()))
}

/// A restore job. What cannot be read leaves it running.
pub(super) fn restore_job(node: &Node) -> Lowered<RestoreJob> {
    let mut fields = Fields::of(node)?;
    let id = required(&mut fields, "id")?;
    let word = fields.text("deliveryType").unwrap_or_default();
    let plain = word.to_ascii_lowercase().replace('_', "");
    let delivery = match plain.as_str() {
        "automated" => Delivery::Automated,
        "download" => Delivery::Download,
        "pointintime" => Delivery::PointInTime,
        _ => Delivery::Unrecognised(word.to_owned()),
    };
    let job = RestoreJob {
        id,
        snapshot: owned(fields.text("snapshotId")),
        delivery,
        finished_at: fields.sighting("finishedAt"),
        failed: fields.flag("failed").unwrap_or(false),
        cancelled: fields.flag("cancelled").unwrap_or(false),
        expired: fields.flag("expired").unwrap_or(false),
    };
    Ok((job, fields.into_flaws()))
}

/// A compliance policy with the project that it names; an empty object is "there is none".
pub(super) fn compliance_policy(node: &Node) -> Lowered<(CompliancePolicy, Option<String>)> {
    if *node == Node::Null {
        return Ok(((CompliancePolicy::default(), None), Vec::new()));
    }
    let mut fields = Fields::of(node)?;
    let project = owned(fields.text("projectId"));
    let policy = CompliancePolicy {
        restore_window_days: fields.count("restoreWindowDays"),
    };
    Ok(((policy, project), fields.into_flaws()))
}

/// A text without which the record is none.
fn required(fields: &mut Fields<'_>, name: &str) -> Result<String, String> {
    match fields.text(name) {
        Some(text) => Ok(text.to_owned()),
        None => Err(
            if fields.any(name).is_some_and(|v| v.as_text() != Some("")) {
                format!("has no usable `{name}`")
            } else {
                format!("has no `{name}`")
            },
        ),
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn list<'n>(node: &'n Node, name: &str) -> &'n [Node] {
    node.get(name).and_then(Node::as_list).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(json: &str) -> Node {
        Node::read(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_cluster_is_dedicated_unless_every_region_is_shared() {
        let table = [
            (r#"{"name":"c"}"#, true),
            (r#"{"name":"c","replicationSpecs":[]}"#, true),
            (
                r#"{"name":"c","replicationSpecs":[{"regionConfigs":[{"providerName":"AWS"}]}]}"#,
                true,
            ),
            (
                r#"{"name":"c","replicationSpecs":[{"regionConfigs":[{"providerName":"TENANT"}]}]}"#,
                false,
            ),
            (
                r#"{"name":"c","replicationSpecs":[{"regionConfigs":[{"providerName":"TENANT"},{"providerName":"GCP"}]}]}"#,
                true,
            ),
            (
                r#"{"name":"c","replicationSpecs":[{"regionConfigs":[{"providerName":"FLEX"},{}]}]}"#,
                true,
            ),
            (
                r#"{"name":"c","providerSettings":{"providerName":"TENANT","backingProviderName":"AWS"}}"#,
                false,
            ),
            (
                r#"{"name":"c","providerSettings":{"providerName":"AWS"}}"#,
                true,
            ),
            (
                r#"{"name":"c","providerSettings":{"providerName":7}}"#,
                true,
            ),
        ];
        for (json, expected) in table {
            assert_eq!(
                cluster(&node(json)).unwrap().0.dedicated,
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn clusters_of_every_version_are_read() {
        let (new, flaws) = cluster(&node(
            r#"{"id":"i","name":"c","clusterType":"GEOSHARDED","stateName":"DELETING","paused":true,
                "encryptionAtRestProvider":"AZURE","backupEnabled":true,"pitEnabled":true}"#,
        ))
        .unwrap();
        assert!(flaws.is_empty());
        assert_eq!(
            new,
            ClusterState {
                id: Some("i".into()),
                name: "c".into(),
                sharded: Some(true),
                state: Some("DELETING".into()),
                encryption: Some(ClusterEncryption::Provider(Provider::Azure)),
                backup_enabled: Some(true),
                pit_enabled: Some(true),
                paused: Some(true),
                dedicated: true,
                version: None,
                instance_size: None,
            }
        );
        let backup = |json: &str| cluster(&node(json)).unwrap().0.backup_enabled;
        assert_eq!(
            backup(r#"{"name":"c","backupEnabled":false,"providerBackupEnabled":true}"#),
            Some(true)
        );
        assert_eq!(backup(r#"{"name":"c","backupEnabled":false}"#), Some(false));
        assert_eq!(
            backup(r#"{"name":"c","backupSettings":{"enabled":true}}"#),
            Some(true)
        );
        assert_eq!(backup(r#"{"name":"c"}"#), None);
        let (odd, flaws) = cluster(&node(
            r#"{"name":"c","encryptionAtRestProvider":"OCI","pitEnabled":"yes"}"#,
        ))
        .unwrap();
        assert_eq!(
            odd.encryption,
            Some(ClusterEncryption::Unrecognised("OCI".into()))
        );
        assert_eq!((odd.pit_enabled, flaws.len()), (None, 1));
        assert_eq!(cluster(&node("{}")).unwrap_err(), "has no `name`");
    }

    #[test]
    fn a_cluster_says_its_version_and_its_size() {
        // (cluster, version, instance size)
        let table = [
            (
                r#"{"name":"c","mongoDBVersion":"7.0.12","replicationSpecs":[{"regionConfigs":[
                    {"readOnlySpecs":{"instanceSize":"M99"}},{"electableSpecs":{"instanceSize":"M30"}}]}]}"#,
                Some("7.0.12"),
                Some("M30"),
            ),
            (
                r#"{"name":"c","providerSettings":{"providerName":"AWS","instanceSizeName":"M10"}}"#,
                None,
                Some("M10"),
            ),
            (
                r#"{"name":"c","mongoDBVersion":7,"replicationSpecs":[{"regionConfigs":[
                    {"electableSpecs":{"instanceSize":""}},{"electableSpecs":{"instanceSize":"M5\u0000"}}]}]}"#,
                None,
                None,
            ),
            (r#"{"name":"c"}"#, None, None),
        ];
        for (json, version, size) in table {
            let (cluster, flaws) = cluster(&node(json)).unwrap();
            assert_eq!(cluster.version.as_deref(), version, "{json}");
            assert_eq!(cluster.instance_size.as_deref(), size, "{json}");
            assert!(flaws.is_empty(), "{json}: {flaws:?}");
        }
    }

    #[test]
    fn settings_say_which_keys_are_current() {
        // (block, enabled, key, region, flaws)
        type Row<'a> = (&'a str, bool, Option<&'a str>, Option<&'a str>, usize);
        let table: [Row<'_>; 8] = [
            (
                r#"{"enabled":true,"customerMasterKeyID":"k","region":"US_EAST_1","accessKeyID":"a"}"#,
                true,
                Some("k"),
                Some("us-east-1"),
                0,
            ),
            (
                r#"{"customerMasterKeyID":"k","region":"US_GOV_WEST_1"}"#,
                true,
                Some("k"),
                Some("us-gov-west-1"),
                0,
            ),
            (r#"{"enabled":true}"#, true, None, None, 0),
            (
                r#"{"enabled":false,"region":"CN_NORTH_1"}"#,
                false,
                None,
                Some("cn-north-1"),
                0,
            ),
            (
                r#"{"enabled":false,"customerMasterKeyID":"k"}"#,
                false,
                Some("k"),
                None,
                0,
            ),
            (r#"{}"#, false, None, None, 0),
            (r#"{"enabled":"true"}"#, true, None, None, 1),
            (r#"{"customerMasterKeyID":7}"#, true, None, None, 1),
        ];
        for (block, enabled, key, region, flaws) in table {
            let (blocks, found) = settings(&node(&format!(r#"{{"awsKms":{block}}}"#))).unwrap();
            let expected = KeySettings {
                provider: Provider::Aws,
                enabled,
                key: key.map(str::to_owned),
                region: region.map(str::to_owned),
                valid: None,
            };
            assert_eq!((blocks, found.len()), (vec![expected], flaws), "{block}");
        }
        let (three, _) = settings(&node(
            r#"{"googleCloudKms":{"enabled":true,"keyVersionResourceID":"p","valid":false},
                "azureKeyVault":{"enabled":true,"keyIdentifier":"u","secret":"s"},"awsKms":{"enabled":false}}"#,
        ))
        .unwrap();
        let found: Vec<_> = three
            .iter()
            .map(|b| (b.enabled, b.key.as_deref()))
            .collect();
        assert_eq!(found, [(false, None), (true, Some("u")), (true, Some("p"))]);
        assert_eq!(three[2].valid, Some(false));
        assert!(settings(&node(r#"{"enabledForSearchNodes":false}"#)).is_err());
        assert!(settings(&node(r#"{"awsKms":null}"#)).is_err());
        assert_eq!(settings(&node(r#"{"awsKms":7}"#)).unwrap().1.len(), 1);
    }

    #[test]
    fn schedules_name_what_outlives_the_snapshot() {
        let ((schedule, cluster), flaws) = schedule(&node(
            r#"{"clusterName":"c","restoreWindowDays":9,"policies":[],
                "extraRetentionSettings":[{"frequencyType":"DAILY","retentionDays":30}],
                "copySettings":[{"copyPolicyItems":[{"frequencyType":"Hourly","retentionUnit":"weeks","retentionValue":2}]},
                                {"lastNumberOfSnapshots":5,"frequencies":["HOURLY"]},{"frequencies":["DAILY"]}]}"#,
        ))
        .unwrap();
        assert!(flaws.is_empty());
        assert_eq!(cluster.as_deref(), Some("c"));
        assert_eq!(schedule.restore_window_days, Some(9));
        assert_eq!(
            schedule.extra_retention,
            [ExtraRetention {
                frequency: "daily".into(),
                days: 30
            }]
        );
        let retention = Retention {
            unit: RetentionUnit::Weeks,
            value: 2,
        };
        assert_eq!(
            schedule.copies[0].items,
            [CopyItem {
                frequency: "hourly".into(),
                retention: Some(retention)
            }]
        );
        let by_number: Vec<_> = schedule.copies.iter().map(|c| c.by_number).collect();
        assert_eq!(by_number, [false, true, false]);
    }

    #[test]
    fn damaged_schedules_are_flawed() {
        for (json, flaws) in [
            (r#"{"policies":[],"restoreWindowDays":"x"}"#, 1),
            (r#"{"policies":[],"copySettings":{}}"#, 1),
            (r#"{"policies":[],"copySettings":[7]}"#, 1),
            (
                r#"{"policies":[],"copySettings":[{"copyPolicyItems":[{"frequencyType":"x","retentionUnit":"eons","retentionValue":1}]}]}"#,
                1,
            ),
            (r#"{"policies":[],"extraRetentionSettings":[{}]}"#, 1),
        ] {
            assert_eq!(schedule(&node(json)).unwrap().1.len(), flaws, "{json}");
        }
        assert!(schedule(&node("{}")).is_err());
    }

    #[test]
    fn restore_jobs_run_until_they_are_said_to_have_ended() {
        let read = |json: &str| restore_job(&node(json)).unwrap();
        let (job, flaws) = read(
            r#"{"id":"j","snapshotId":"s","deliveryType":"pointInTime","finishedAt":"2026-11-01T00:00:00Z",
                "expired":true,"desiredTimestamp":{"date":null},"deliveryUrl":["https://x/token"]}"#,
        );
        assert!(flaws.is_empty());
        assert_eq!((job.delivery, job.expired), (Delivery::PointInTime, true));
        assert!(job.finished_at.is_some());
        let (job, flaws) = read(r#"{"id":"j","finishedAt":"soon","failed":"yes"}"#);
        assert_eq!((job.finished_at, job.failed, flaws.len()), (None, false, 2));
        assert_eq!(job.delivery, Delivery::Unrecognised(String::new()));
        assert!(restore_job(&node(r#"{"snapshotId":"s"}"#)).is_err());
    }

    #[test]
    fn events_need_a_time_and_a_type() {
        let ((found, bears), _) = event(&node(
            r#"{"id":"e","created":"2026-10-01T01:02:03Z","eventTypeName":"AZURE_ENCRYPTION_KEY_ROTATED"}"#,
        ))
        .unwrap();
        assert!(bears);
        assert_eq!(found.kind, "AZURE_ENCRYPTION_KEY_ROTATED");
        assert!(event(&node(r#"{"created":"2026-10-01T01:02:03Z"}"#)).is_err());
        assert!(event(&node(r#"{"eventTypeName":"X"}"#)).is_err());
        assert!(event(&node(r#"{"eventTypeName":"X","created":"?"}"#)).is_err());
    }

    #[test]
    fn projects_and_policies() {
        let ((found, org), _) = project(&node(r#"{"id":"p","name":"n","orgId":"o"}"#)).unwrap();
        assert_eq!(found.name.as_deref(), Some("n"));
        assert_eq!(org.as_deref(), Some("o"));
        assert!(project(&node(r#"{"name":"n"}"#)).is_err());
        let ((policy, project), _) =
            compliance_policy(&node(r#"{"projectId":"p","restoreWindowDays":3}"#)).unwrap();
        assert_eq!(
            (policy.restore_window_days, project.as_deref()),
            (Some(3), Some("p"))
        );
        assert_eq!(
            compliance_policy(&node("{}")).unwrap().0.0,
            CompliancePolicy::default()
        );
    }
}
