//! How long snapkey takes for an estate of any size, as ratios to what the same machine needs for
//! the bare work in the same run. See `docs/performance.md`.
//!
//! ```text
//! cargo bench --bench scale [-- --snapshots 1000000]
//! cargo bench --bench scale -- nights
//! cargo bench --bench scale -- collect
//! ```

#![expect(
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "a program of its own, whose output is a table on stdout"
)]

mod baseline;
mod collect;
mod generate;
mod measure;
mod nights;
mod probe;
mod service;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use generate::{AS_OF, Written};
use measure::{Run, in_short, run};

const SNAPKEY: &str = env!("CARGO_BIN_EXE_snapkey");
const MEMORY_LIMIT: u64 = 64 * 1024;
/// Times what so many requests take, as many at a time as `collect` makes.
const COLLECT_TARGET: f64 = 1.3;
/// What `audit` prints besides JSON, which is timed: all of it is to stream.
const FORMATS: [&str; 8] = [
    "table",
    "csv",
    "md",
    "sarif",
    "junit",
    "github",
    "prometheus",
    "cbom",
];
/// `audit` and `check` find fault with the estate on purpose: any answer will do.
const ANSWERS: [i32; 3] = [0, 1, 3];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        // The yardsticks, run by this program itself.
        ["baseline-ingest", bundle, pages, store] => {
            baseline::ingest(bundle.as_ref(), pages.as_ref(), store.as_ref())
        }
        ["baseline-select", store] => baseline::select(store.as_ref()),
        // The library's own probes, with bounds that the command does not offer.
        ["probe-client", service, keys, in_flight] => {
            probe::client(service.parse()?, keys.parse()?, in_flight.parse()?)
        }
        ["generate", folder, snapshots] => {
            let written = generate::write(folder.as_ref(), snapshots.parse()?, 1)?;
            println!("{}", written.one_key);
            Ok(())
        }
        ["collect"] | ["collect", "--bench"] => measure_collect(tempfile::tempdir()?.path()),
        ["nights"] | ["nights", "--bench"] => measure_nights(tempfile::tempdir()?.path(), 100_000),
        options => measure_all(snapshots(options)?),
    }
}

fn snapshots(options: &[&str]) -> Result<u64> {
    let mut snapshots = 100_000;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            // Cargo adds it.
            "--bench" => {}
            "--snapshots" => {
                let number = options.next().context("--snapshots takes a number")?;
                snapshots = number.parse().with_context(|| format!("`{number}`"))?;
            }
            unknown => bail!("unknown option `{unknown}`"),
        }
    }
    Ok(snapshots)
}

/// What needs no estate, and most of whose time is spent waiting.
fn measure_collect(folder: &Path) -> Result<()> {
    let [many, few] = [collect::PROJECTS, collect::FEWER].map(|projects| {
        let collected = collect::collect(folder, &snapkey, projects)?;
        anyhow::Ok((projects, collected))
    });
    println!(
        "\ncollect atlas   snapkey s  baseline s   ratio  target  met  busy s  requests  peak MiB"
    );
    for (projects, collected) in [many?, few?] {
        let ratio = ratio(collected.asked.took, collected.asked.least);
        println!(
            "{projects:>4} projects {:>11.2} {:>11.2} {ratio:>7.2} {COLLECT_TARGET:>7.1}  {:<3} {:>7.2} {:>9} {:>9.1}",
            collected.asked.took.as_secs_f64(),
            collected.asked.least.as_secs_f64(),
            yes(ratio <= COLLECT_TARGET),
            collected.run.busy.as_secs_f64(),
            collected.requests,
            mib(collected.run)
        );
    }
    Ok(())
}

/// What grows with how often the same lists were read.
fn measure_nights(folder: &Path, snapshots: u64) -> Result<()> {
    let (written, nights) = nights::measure(folder, &snapkey, snapshots)?;
    println!(
        "\n{} snapshots in {} projects, read every night",
        written.snapshots, written.projects
    );
    println!("nights  ingest s  check s  audit s  peak MiB of check  of audit  store MiB");
    for night in nights {
        println!(
            "{:>6} {:>9.2} {:>8.3} {:>8.2} {:>18.1} {:>9.1} {:>10.1}",
            night.no,
            night.ingest.took.as_secs_f64(),
            night.check.took.as_secs_f64(),
            night.audit.took.as_secs_f64(),
            mib(night.check),
            mib(night.audit),
            night.size as f64 / 1_048_576.0
        );
    }
    Ok(())
}

/// One line of the table.
struct Line {
    work: &'static str,
    product: Duration,
    baseline: Duration,
    /// Processor time of the two, where it is long enough to be told.
    busy: Option<(Duration, Duration)>,
    target: f64,
}

fn measure_all(snapshots: u64) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path();
    let small = estate(&folder.join("small"), snapshots, 10)?;
    let large = estate(&folder.join("large"), snapshots, 1)?;
    println!(
        "{} snapshots, {} keys, {} projects\n",
        large.written.snapshots, large.written.keys, large.written.projects
    );

    let small_ingest = ingest(&small)?;
    let small_audit = audit(&small)?;
    let this = std::env::current_exe()?;
    let bare_store = folder.join("bare.db");
    let [ingested, bare_ingest] = in_turn([&|| ingest(&large), &|| {
        remove_store(&bare_store)?;
        let mut bare = Command::new(&this);
        bare.arg("baseline-ingest").args([
            &large.written.bundle,
            &large.written.pages,
            &bare_store,
        ]);
        run(&mut bare, &[0])
    }])?;
    let [audited, bare_select] = in_turn([&|| audit(&large), &|| {
        let mut bare = Command::new(&this);
        run(bare.arg("baseline-select").arg(&large.store), &[0])
    }])?;
    let check = |estate: &Estate| {
        let mut check = snapkey(&["check", "--no-probe", "--as-of", AS_OF, "--format", "json"]);
        check
            .arg("--store")
            .arg(&estate.store)
            .arg(&estate.written.one_key);
        check
    };
    let [checked, small_check, version, nothing] = in_short(
        101,
        &ANSWERS,
        [
            &|| check(&large),
            &|| check(&small),
            &|| snapkey(&["--version"]),
            &|| Command::new("/bin/true"),
        ],
    )?;
    let in_flight = probe::in_flight(folder, &snapkey)?;
    let by_quota = probe::by_quota(folder, &snapkey)?;

    let lines = [
        Line {
            work: "ingest of the bundle",
            product: ingested.took,
            baseline: bare_ingest.took,
            busy: Some((ingested.busy, bare_ingest.busy)),
            target: 1.5,
        },
        Line {
            work: "audit --format json",
            product: audited.took,
            baseline: bare_select.took,
            busy: Some((audited.busy, bare_select.busy)),
            target: 3.0,
        },
        Line {
            work: "check KEY",
            product: checked.took,
            baseline: version.took,
            busy: Some((checked.busy, version.busy)),
            target: 20.0,
        },
        Line {
            work: "probe, 32 at a time",
            product: in_flight.took,
            baseline: in_flight.least,
            busy: None,
            target: 1.2,
        },
        Line {
            work: "probe, by its quota",
            product: by_quota.took,
            baseline: by_quota.least,
            busy: None,
            target: 1.1,
        },
        Line {
            work: "--version",
            product: version.took,
            baseline: nothing.took,
            busy: None,
            target: 5.0,
        },
    ];
    println!(
        "work                   snapkey s  baseline s   ratio  target  met  ratio of processor time"
    );
    for line in lines {
        let ratio = ratio(line.product, line.baseline);
        println!(
            "{:<22} {:>9.4} {:>11.4} {ratio:>7.2} {:>7.1}  {:<3}  {}",
            line.work,
            line.product.as_secs_f64(),
            line.baseline.as_secs_f64(),
            line.target,
            yes(ratio <= line.target),
            line.busy
                .map_or_else(String::new, |(product, baseline)| format!(
                    "{:.2} ({:.3} s to {:.3} s)",
                    self::ratio(product, baseline),
                    product.as_secs_f64(),
                    baseline.as_secs_f64()
                ))
        );
    }

    println!("\nprobes at 20 ms, quota off  probes/s   ideal  ratio  processor time of one");
    for in_flight in [1, 16, 64, 256] {
        let many = probe::many(&this, in_flight)?;
        println!(
            "{in_flight:>3} at a time                {:>8.0} {:>7.0} {:>6.2} {:>16.0} us",
            many.probes / many.took.as_secs_f64(),
            many.probes / many.least.as_secs_f64(),
            ratio(many.took, many.least),
            many.busy.as_secs_f64() * 1e6 / many.probes,
        );
    }
    println!(
        "\ncheck KEY with a tenth of the snapshots: {:.4} s, busy for {:.3} s",
        small_check.took.as_secs_f64(),
        small_check.busy.as_secs_f64()
    );

    let document = folder.join("one.json");
    let rows = generate::single_document(&document, 600 * snapshots)?;
    let streamed = stream(&document, &folder.join("one.db"))?;
    println!("\npeak memory                  MiB  a tenth of the snapshots  below 64  flat");
    let mut peaks = vec![
        (
            "ingest of the bundle".to_owned(),
            ingested,
            Some(small_ingest),
        ),
        ("audit --format json".to_owned(), audited, Some(small_audit)),
    ];
    for format in FORMATS {
        let work = format!("audit --format {format}");
        let of_tenth = audit_as(format, &small)?;
        peaks.push((work, audit_as(format, &large)?, Some(of_tenth)));
    }
    peaks.push(("ingest of one document".to_owned(), streamed, None));
    for (work, peak, tenth) in peaks {
        let flat = tenth.map_or("", |tenth| yes(peak.peak * 10 <= tenth.peak * 11));
        let tenth = tenth.map_or_else(String::new, |tenth| format!("{:.1}", mib(tenth)));
        println!(
            "{work:<24} {:>7.1} {tenth:>25}  {:<8}  {flat}",
            mib(peak),
            yes(peak.peak < MEMORY_LIMIT)
        );
    }
    println!(
        "one document: {rows} snapshots in {:.2} s",
        streamed.took.as_secs_f64()
    );
    measure_nights(&folder.join("nights"), snapshots / 10)?;
    measure_collect(folder)
}

struct Estate {
    written: Written,
    store: PathBuf,
}

fn ratio(product: Duration, baseline: Duration) -> f64 {
    product.as_secs_f64() / baseline.as_secs_f64()
}

fn estate(folder: &Path, snapshots: u64, thinned: usize) -> Result<Estate> {
    Ok(Estate {
        written: generate::write(folder, snapshots, thinned)?,
        store: folder.join("snapkey.db"),
    })
}

/// Several runs of each, in turn so that all meet the same machine: the one of median time.
fn in_turn<const N: usize>(works: [&dyn Fn() -> Result<Run>; N]) -> Result<[Run; N]> {
    const ROUNDS: usize = 3;
    let mut runs = [const { Vec::new() }; N];
    for _ in 0..ROUNDS {
        for (work, runs) in works.iter().zip(&mut runs) {
            runs.push(work()?);
        }
    }
    Ok(runs.map(|mut runs| {
        runs.sort_unstable_by_key(|run: &Run| run.took);
        runs.swap_remove(ROUNDS / 2)
    }))
}

fn remove_store(store: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm"] {
        let mut file = store.as_os_str().to_owned();
        file.push(end);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Into a new store, keys first, so that the timed run is of the bundle alone.
fn ingest(estate: &Estate) -> Result<Run> {
    remove_store(&estate.store)?;
    let command = |what: &Path| {
        let mut command = snapkey(&["ingest", "-q"]);
        command.arg("--store").arg(&estate.store).arg(what);
        command
    };
    run(&mut command(&estate.written.key_answers), &[0])?;
    run(&mut command(&estate.written.bundle), &[0])
}

fn audit(estate: &Estate) -> Result<Run> {
    audit_as("json", estate)
}

fn audit_as(format: &str, estate: &Estate) -> Result<Run> {
    // What it denies is on stderr, and of no interest here.
    let mut command = snapkey(&["audit", "-q", "--no-probe", "--as-of", AS_OF]);
    command.args(["--format", format]);
    run(command.arg("--store").arg(&estate.store), &ANSWERS)
}

fn stream(document: &Path, store: &Path) -> Result<Run> {
    let mut command = snapkey(&[
        "ingest",
        "-q",
        "--observed-at",
        AS_OF,
        "--project",
        "p",
        "--cluster",
        "c",
    ]);
    run(command.arg("--store").arg(store).arg(document), &[0])
}

/// The product, without anything of the caller's environment.
fn snapkey(args: &[&str]) -> Command {
    let mut command = Command::new(SNAPKEY);
    command.env_clear().args(args);
    command
}

fn mib(run: Run) -> f64 {
    // Far below the 52 bits that a float holds.
    run.peak as f64 / 1024.0
}

const fn yes(met: bool) -> &'static str {
    if met { "yes" } else { "no" }
}
