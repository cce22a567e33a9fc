//! The spine: one function for each command, each a list of steps named with the field's verbs.
//! The wall clock is read here and nowhere else.

mod ingest;
mod judge;
mod live;
mod manual;
mod pipe;
mod pipeline;
mod probe;
mod whole_file;

use std::io::{self, Read, Write};

use chrono::Utc;
use clap::CommandFactory;

use self::judge::Sight;
use self::probe::LastUses;
use crate::assess::gate;
use crate::cli::{self, Cli, Command, Download, Input};
use crate::config::{self, Config, StoreAt};
use crate::error::{Error, ErrorKind};
use crate::model::verdict::Intent;
use crate::model::{Forgotten, Timestamp};
use crate::report::{self, Format, Layout, Style};
use crate::store::{Location, Store, StoreError};

/// The streams of a run, and how the terminal looks.
pub struct Console<'c> {
    /// Data.
    pub out: Box<dyn Write + 'c>,
    /// Everything else.
    pub err: Box<dyn Write + 'c>,
    pub stdin: Box<dyn Read + Send + 'c>,
    /// Columns; `None` where the output is no terminal.
    pub width: Option<u16>,
    pub color: bool,
    /// Progress may be drawn on stderr.
    pub progress: bool,
    pub quiet: bool,
}

impl Console<'_> {
    fn layout(&self) -> Layout {
        Layout {
            width: self.width,
            color: self.color,
        }
    }

    /// A line on stderr that is neither data nor an error.
    fn notice(&mut self, text: &str) {
        if !self.quiet {
            let line = format!("{}\n", report::text::escape(text));
            // A notice that cannot be written must not end the run.
            let _lost = self.err.write_all(line.as_bytes());
        }
    }
}

/// What every command works with.
struct Session<'a, 'c> {
    cli: &'a Cli,
    config: Config,
    /// Of lists and of what was done.
    format: Format,
    /// Of what was concluded.
    style: Style,
    console: &'a mut Console<'c>,
}

/// Runs one command and returns its exit code.
///
/// # Errors
/// What ended the run before it could answer.
pub fn run(cli: &Cli, console: &mut Console<'_>) -> Result<u8, Error> {
    log_to_stderr(cli.global.verbose, console.quiet);
    match &cli.command {
        Command::Completions(args) => return output(completions(args.shell, console), 0),
        Command::Man => return output(manual(console), 0),
        Command::Collect(_)
        | Command::Ingest(_)
        | Command::Probe(_)
        | Command::Audit(_)
        | Command::Snapshots(_)
        | Command::Keys(_)
        | Command::Projects(_)
        | Command::Check(_)
        | Command::Gate(_)
        | Command::Report(_)
        | Command::Download(_) => {}
    }
    let config = config::load(&cli.global, &config::process_environment)?;
    let style = match cli.global.format {
        cli::Format::Table => Style::Plain(Format::Table),
        cli::Format::Json => Style::Plain(Format::Json),
        cli::Format::Csv => Style::Plain(Format::Csv),
        cli::Format::Md => Style::Markdown,
        cli::Format::Sarif => Style::Sarif,
        cli::Format::Junit => Style::Junit,
        cli::Format::Github => Style::Github,
        cli::Format::Prometheus => Style::Prometheus,
        cli::Format::Cbom => Style::Cbom,
    };
    let format = match style {
        Style::Plain(format) => format,
        // The command line lets lists have no other format.
        Style::Markdown
        | Style::Sarif
        | Style::Junit
        | Style::Github
        | Style::Prometheus
        | Style::Cbom => Format::Table,
    };
    let mut session = Session {
        cli,
        config,
        format,
        style,
        console,
    };
    match &cli.command {
        Command::Collect(args) => session.collect(args),
        Command::Ingest(args) => session.ingest(&args.paths, &args.flags),
        Command::Probe(args) => session.probe(args),
        Command::Audit(args) => session.audit(args),
        Command::Snapshots(args) => session.snapshots(args),
        Command::Keys(args) => session.keys(args),
        Command::Projects(args) => session.projects(args),
        Command::Check(args) => match args.intent {
            Intent::Delete | Intent::Disable => session.check(args),
            Intent::Rotate => session.rotate(args),
        },
        Command::Gate(args) => session.gate(args),
        Command::Report(args) => session.report(args),
        Command::Completions(_) | Command::Man => Ok(gate::PASSED),
        Command::Download(Download::List) => session.download_list(),
        Command::Download(Download::Forget(args)) => session.download_forget(args),
    }
}

impl Session<'_, '_> {
    fn ingest(&mut self, paths: &[Input], flags: &cli::IngestFlags) -> Result<u8, Error> {
        ingest::refuse_unread(paths)?;
        ingest::find(paths)?;
        let access = self.login_of(paths, flags)?;
        let mut store = self.create_store()?;
        let fetched = self.collected(&store, paths, flags, access.as_ref())?;
        let now = wall_clock();
        let imported = ingest::read(
            &mut store,
            &self.config.policy,
            &fetched.paths,
            flags,
            now,
            self.console,
        )?;
        let settled = ingest::settle(&store, &self.config.policy, &imported, now)?;
        let code = settled.code.max(fetched.code);
        imported.tell(self.console);
        settled.tell(self.console);
        let report = imported.report(now, code);
        let printed = report::ingest(
            self.format,
            &report.view(),
            self.console.layout(),
            &mut self.console.out,
        );
        store.close().map_err(Error::from)?;
        output(printed, code)
    }

    fn audit(&mut self, args: &cli::Audit) -> Result<u8, Error> {
        ingest::refuse_unread(&args.paths)?;
        ingest::find(&args.paths)?;
        let access = self.login_of(&args.paths, &args.flags)?;
        let probing = self.may_probe(args.no_probe);
        let mut store = match (args.paths.is_empty(), probing) {
            (false, _) => self.create_store()?,
            (true, true) => self.writable_store()?,
            (true, false) => self.readable_store()?,
        };
        if !args.paths.is_empty() {
            let fetched = self.collected(&store, &args.paths, &args.flags, access.as_ref())?;
            let now = wall_clock();
            let imported = ingest::read(
                &mut store,
                &self.config.policy,
                &fetched.paths,
                &args.flags,
                now,
                self.console,
            )?;
            imported.tell(self.console);
        }
        if probing {
            let asked = probe::all_in_use(&mut store, &self.config, None, self.console)?;
            asked.tell(self.console);
            store
                .note_holds(&self.config.policy.holds, wall_clock())
                .map_err(Error::from)?;
        }
        let as_of = self.as_of();
        let view = report::AuditView {
            summary: args.summary,
            all: args.all,
        };
        let file = self.config.file.clone();
        let printing = pipeline::Printing {
            by: pipeline::By::Audit(view),
            policy_file: file.as_deref(),
        };
        let code = self.print_estate(&store, as_of, printing, None, None)?;
        store.close().map_err(Error::from)?;
        Ok(code)
    }

    fn probe(&mut self, args: &cli::Probe) -> Result<u8, Error> {
        if args.explain {
            let explained = probe::explained(&args.keys, &self.config)?;
            let printed = report::explain(
                self.format,
                wall_clock(),
                &explained,
                self.console.layout(),
                &mut self.console.out,
            );
            return output(printed, gate::PASSED);
        }
        if self.cli.global.as_of.is_some() {
            return Err(Error::new(
                ErrorKind::Usage,
                "`probe` asks now, which `--as-of` excludes",
            ));
        }
        let mut store = self.writable_store()?;
        let asked = if args.keys.is_empty() {
            let age = (!args.refresh).then_some(self.config.policy.max_probe_age / 2);
            probe::all_in_use(&mut store, &self.config, age, self.console)?
        } else {
            probe::named(
                &mut store,
                &self.config,
                &args.keys,
                LastUses::Asked,
                self.console,
            )?
        };
        let code = asked.exit_code();
        let report = asked.report(wall_clock(), code);
        let printed = report::probe(
            self.format,
            &report,
            self.console.layout(),
            &mut self.console.out,
        );
        store.close().map_err(Error::from)?;
        output(printed, code)
    }

    fn check(&mut self, args: &cli::Check) -> Result<u8, Error> {
        let store = self.checked_store(args)?;
        let as_of = self.as_of();
        let policy = &self.config.policy;
        let check = Sight::on(&store, policy, as_of, |sight| {
            judge::check(sight, &args.key, args.intent, args.limit)
        })?;
        let code = gate::of_check(&check);
        let printed = report::check(
            self.format,
            &check,
            code,
            self.console.layout(),
            &mut self.console.out,
        );
        store.close().map_err(Error::from)?;
        output(printed, code)
    }

    fn rotate(&mut self, args: &cli::Check) -> Result<u8, Error> {
        let store = self.checked_store(args)?;
        let as_of = self.as_of();
        let (policy, to) = (&self.config.policy, args.to.as_deref());
        let check = Sight::on(&store, policy, as_of, |sight| {
            judge::rotation(sight, &args.key, to, args.limit)
        })?;
        let code = gate::of_rotation(&check);
        let printed = report::rotation(
            self.format,
            &check,
            code,
            self.console.layout(),
            &mut self.console.out,
        );
        store.close().map_err(Error::from)?;
        output(printed, code)
    }

    /// The store, with fresh answers about the keys of a check unless told not to ask.
    fn checked_store(&mut self, args: &cli::Check) -> Result<Store, Error> {
        let probing = self.may_probe(args.no_probe);
        if !probing && !args.refresh {
            return self.readable_store();
        }
        let mut store = self.writable_store()?;
        if args.refresh {
            self.refresh(&mut store, args)?;
        }
        if !probing {
            return Ok(store);
        }
        let keys = [Some(&args.key), args.to.as_ref()];
        let keys: Vec<String> = keys.into_iter().flatten().cloned().collect();
        let uses = LastUses::NotAsked;
        let asked = probe::named(&mut store, &self.config, &keys, uses, self.console)?;
        asked.tell(self.console);
        Ok(store)
    }

    fn snapshots(&mut self, args: &cli::Snapshots) -> Result<u8, Error> {
        let store = self.readable_store()?;
        let as_of = self.as_of();
        let (format, layout) = (self.format, self.console.layout());
        let out = &mut self.console.out;
        judge::snapshots(
            &store,
            &self.config.policy,
            as_of,
            args,
            format,
            layout,
            out,
        )
    }

    fn keys(&mut self, args: &cli::Keys) -> Result<u8, Error> {
        let store = self.readable_store()?;
        let as_of = self.as_of();
        let (format, layout) = (self.format, self.console.layout());
        let out = &mut self.console.out;
        judge::keys(
            &store,
            &self.config.policy,
            as_of,
            args,
            format,
            layout,
            out,
        )
    }

    fn projects(&mut self, args: &cli::Projects) -> Result<u8, Error> {
        let store = self.readable_store()?;
        let as_of = self.as_of();
        let (format, layout) = (self.format, self.console.layout());
        let out = &mut self.console.out;
        judge::projects(
            &store,
            &self.config.policy,
            as_of,
            args,
            format,
            layout,
            out,
        )
    }

    fn download_list(&mut self) -> Result<u8, Error> {
        let store = self.readable_store()?;
        let as_of = self.as_of();
        let rows = judge::downloads(&store, as_of)?;
        let printed = report::downloads(
            self.format,
            as_of,
            &rows,
            self.console.layout(),
            &mut self.console.out,
        );
        output(printed, gate::PASSED)
    }

    fn download_forget(&mut self, args: &cli::Forget) -> Result<u8, Error> {
        let mut store = self.writable_store()?;
        let now = wall_clock();
        let known = judge::downloads(&store, now)?;
        if !known.iter().any(|row| row.id == args.id) {
            let error = Error::new(
                ErrorKind::Usage,
                format!("no download has the id `{}`", args.id),
            );
            return Err(error.hint("`snapkey download list` prints the ids"));
        }
        let forgotten = Forgotten {
            id: args.id.clone(),
            reason: args.reason.clone(),
            at: now,
        };
        store.forget_download(&forgotten).map_err(Error::from)?;
        let rows: Vec<_> = judge::downloads(&store, now)?
            .into_iter()
            .filter(|row| row.id == args.id)
            .collect();
        let printed = report::downloads(
            self.format,
            now,
            &rows,
            self.console.layout(),
            &mut self.console.out,
        );
        store.close().map_err(Error::from)?;
        output(printed, gate::PASSED)
    }

    /// `--as-of`, else the clock: read once, after the last ingest and probe of the run.
    fn as_of(&self) -> Timestamp {
        self.config.as_of.unwrap_or_else(wall_clock)
    }

    fn may_probe(&self, no_probe: bool) -> bool {
        !no_probe && !self.config.offline && self.config.as_of.is_none()
    }

    fn location(&self) -> Location {
        match &self.config.store {
            StoreAt::Memory => Location::Memory,
            StoreAt::File(path) => Location::File(path.clone()),
        }
    }

    fn create_store(&self) -> Result<Store, Error> {
        Store::create(&self.location()).map_err(Error::from)
    }

    fn writable_store(&self) -> Result<Store, Error> {
        Store::open(&self.location()).map_err(Error::from)
    }

    fn readable_store(&self) -> Result<Store, Error> {
        Store::open_read_only(&self.location()).map_err(Error::from)
    }
}

fn completions(shell: clap_complete::Shell, console: &mut Console<'_>) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "snapkey", &mut script);
    console.out.write_all(&script)
}

fn manual(console: &mut Console<'_>) -> io::Result<()> {
    let page = manual::page(&Cli::command())?;
    console.out.write_all(&page)
}

/// The clock, to the second.
fn wall_clock() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    let now = Utc::now();
    Timestamp::from(now)
}

/// Columns of the terminal that data goes to.
pub fn terminal_width(terminal: bool) -> Option<u16> {
    if !terminal {
        return None;
    }
    Some(console_width().unwrap_or(80))
}

fn console_width() -> Option<u16> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    Some(columns)
}

fn log_to_stderr(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => tracing::Level::ERROR,
        (false, 0) => tracing::Level::WARN,
        (false, 1) => tracing::Level::INFO,
        (false, 2) => tracing::Level::DEBUG,
        (false, _) => tracing::Level::TRACE,
    };
    // Only snapkey's own events: the vendors' SDKs log requests with their signatures.
    let filter = tracing_subscriber::filter::Targets::new().with_target("snapkey", level);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(false);
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    // A second run in one process keeps the first one's log.
    let _already_set = tracing_subscriber::registry()
        .with(filter)
        .with(layer)
        .try_init();
}

fn not_yet(what: &str) -> Error {
    Error::new(ErrorKind::Usage, format!("{what} is not in this release"))
}

/// The exit code was settled before anything was printed; a reader that stopped reading does not
/// change it, a full disk does.
fn output(printed: io::Result<()>, code: u8) -> Result<u8, Error> {
    match printed {
        Ok(()) => Ok(code),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(code),
        Err(error) => Err(output_failed(&error)),
    }
}

/// The answer could not be written.
pub fn output_failed(error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, "could not write the answer").caused_by(error)
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let told = Self::new(ErrorKind::Store, error.to_string());
        let told = match std::error::Error::source(&error) {
            Some(source) => told.caused_by(source),
            None => told,
        };
        match error {
            StoreError::Missing { .. } => {
                told.hint("`snapkey ingest PATH` makes one; `--store` names another place")
            }
            StoreError::NewerVersion { .. } => told.hint("use a newer snapkey"),
            StoreError::OlderVersion { .. } => {
                told.hint("run a command that writes, such as `ingest`")
            }
            StoreError::Locked => told.hint("wait for the other snapkey to end, then try again"),
            StoreError::ReadOnly => {
                told.hint("lists and `check --no-probe` work on a read-only store")
            }
            StoreError::NotSnapkey { .. }
            | StoreError::Full
            | StoreError::ChangedWhileRead { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Io { .. }
            | StoreError::Sqlite(_) => told,
        }
    }
}
