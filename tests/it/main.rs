//! One binary for all integration tests; each module says what belongs in it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod emulator;
mod support;

mod cli;
mod collect_bundles;
mod collect_crash;
mod collect_faults;
mod collect_scenarios;
mod conformance_aws;
mod conformance_azure;
mod conformance_gcp;
mod crash;
mod damage;
mod demo;
mod disk;
mod docs;
mod gate;
mod gate_plan;
mod hostile_bundles;
mod hostile_input;
mod idempotent;
mod layering;
mod lies;
mod private_authority;
mod probe_azure;
mod probe_azure_cli;
mod probe_bounds;
mod probe_cli;
mod probe_faults;
mod probe_gcp;
mod probe_gcp_bounds;
mod probe_key_stores;
mod probe_many;
mod probe_mixed;
mod probe_roles;
#[cfg(feature = "real-servers")]
mod real_aws;
#[cfg(feature = "real-servers")]
mod real_azure;
#[cfg(feature = "real-servers")]
mod real_gcp;
#[cfg(feature = "real-servers")]
mod real_prism;
#[cfg(feature = "real-servers")]
mod real_three_keys;
mod report_file;
mod rules;
mod scenarios;
mod secrets;
mod three_keys;
