//! Runs a child process and says how long it took and how much memory it needed.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a child's peak memory is read.
const POLL: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) took: Duration,
    /// Time on the processor; 0 where that cannot be read.
    pub(crate) busy: Duration,
    /// Peak resident memory in KiB, as last read before the end; 0 where that cannot be read.
    pub(crate) peak: u64,
}

/// Runs a command whose exit code may be any of `codes`; what it prints is dropped.
pub(crate) fn run(command: &mut Command, codes: &[i32]) -> Result<Run> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let busy_before = children_busy();
    let started = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {command:?}"))?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            let took = started.elapsed();
            if !status.code().is_some_and(|code| codes.contains(&code)) {
                bail!("{command:?} ended with {status}");
            }
            let busy = children_busy().saturating_sub(busy_before);
            return Ok(Run { took, busy, peak });
        }
        peak = high_water(&status_file).unwrap_or(peak).max(peak);
        std::thread::sleep(POLL);
    }
}

/// Several runs of a command: their median time, and how long each kept the processor busy on
/// average.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Short {
    pub(crate) took: Duration,
    pub(crate) busy: Duration,
}

/// Several runs of each command, taken in turn so that all meet the same machine, and timed to the
/// end of the process without polling: right for those that last milliseconds.
pub(crate) fn in_short<const N: usize>(
    times: u32,
    codes: &[i32],
    commands: [&dyn Fn() -> Command; N],
) -> Result<[Short; N]> {
    let mut took = [const { Vec::new() }; N];
    let mut busy = [Duration::ZERO; N];
    for _ in 0..times {
        for ((command, took), busy) in commands.iter().zip(&mut took).zip(&mut busy) {
            let busy_before = children_busy();
            let mut command = command();
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let started = Instant::now();
            let status = command
                .status()
                .with_context(|| format!("cannot run {command:?}"))?;
            took.push(started.elapsed());
            *busy += children_busy().saturating_sub(busy_before);
            if !status.code().is_some_and(|code| codes.contains(&code)) {
                bail!("{command:?} ended with {status}");
            }
        }
    }
    let mut short = [Short::default(); N];
    for ((short, mut took), busy) in short.iter_mut().zip(took).zip(busy) {
        took.sort_unstable();
        short.took = took.get(took.len() / 2).copied().unwrap_or_default();
        short.busy = busy / times.max(1);
    }
    Ok(short)
}

fn high_water(status_file: &str) -> Option<u64> {
    let status = fs::read_to_string(status_file).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Time on the processor of all children that ended, as Linux counts it: in hundredths of a
/// second.
fn children_busy() -> Duration {
    let ticks = || -> Option<u64> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let (_name, fields) = stat.rsplit_once(')')?;
        // Fields 16 and 17 of proc_pid_stat(5), of which this is the third on.
        let of = |no: usize| fields.split_whitespace().nth(no - 3)?.parse::<u64>().ok();
        Some(of(16)? + of(17)?)
    };
    Duration::from_millis(ticks().unwrap_or(0) * 10)
}
