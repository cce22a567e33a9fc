//! Parses the command line, runs it, prints what ended it, and turns that into one exit code.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use snapkey::cli::Cli;
use snapkey::config;
use snapkey::report::text;
use snapkey::run::{self, Console};

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(told) => {
            let code = u8::try_from(told.exit_code()).unwrap_or(2);
            // Help on a closed pipe is help that nobody wants to read.
            let _unread = told.print();
            return ExitCode::from(code);
        }
    };
    let stdout = io::stdout();
    let terminal = stdout.is_terminal();
    let mut console = Console {
        out: Box::new(BufWriter::new(stdout.lock())),
        err: Box::new(io::stderr()),
        stdin: Box::new(io::stdin()),
        width: run::terminal_width(terminal),
        color: config::colored(cli.global.color, &config::process_environment, terminal),
        progress: io::stderr().is_terminal() && !cli.global.quiet,
        quiet: cli.global.quiet,
    };
    let ended = run::run(&cli, &mut console);
    let flushed = console.out.flush();
    match (ended, flushed) {
        (Ok(code), Ok(())) => ExitCode::from(code),
        (Ok(code), Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(code),
        (Ok(_), Err(error)) => fail(&mut console, &run::output_failed(&error)),
        (Err(error), _) => fail(&mut console, &error),
    }
}

fn fail(console: &mut Console<'_>, error: &snapkey::error::Error) -> ExitCode {
    let said = error.render(|part| text::escape(part).into_owned());
    // There is no third place to complain to.
    let _lost = console.err.write_all(said.as_bytes());
    ExitCode::from(error.exit_code())
}
