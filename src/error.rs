//! The errors that end a run, as the person at the terminal reads them: what was not done, why,
//! and what to try. Owns the exit code of each kind. What a command concludes is not an error,
//! however bad it is.

use std::fmt;

/// What went wrong, as far as the exit code and the reader's next step depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The command line asks for something that cannot be.
    Usage,
    /// `snapkey.toml` or the environment.
    Config,
    /// What was given to be read is not there, or no inventory at all.
    Input,
    /// The store cannot be opened, read or written.
    Store,
    /// The network could not be set up.
    Network,
    /// Output could not be written.
    Io,
    /// A defect of snapkey.
    Internal,
}

impl ErrorKind {
    pub const ALL: [Self; 7] = [
        Self::Usage,
        Self::Config,
        Self::Input,
        Self::Store,
        Self::Network,
        Self::Io,
        Self::Internal,
    ];

    /// As `docs/exit-codes.md` publishes it: 2 when the caller has to change something, 4 when
    /// the run itself failed.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage | Self::Config | Self::Input => 2,
            Self::Store | Self::Network | Self::Io | Self::Internal => 4,
        }
    }
}

/// An error that ends the run. Texts are lower-case and without a full stop, and hold neither
/// secrets nor raw answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    /// What was not done.
    message: String,
    /// Why, outermost first.
    causes: Vec<String>,
    /// What to try.
    hints: Vec<String>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
        }
    }

    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds an error and everything that it says caused it.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Wrappers that only hand on their source's text would say it twice.
            if self.causes.last() != Some(&text) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    pub const fn exit_code(&self) -> u8 {
        self.kind.exit_code()
    }

    /// The whole text, one line each for the message, every cause and every hint. `escape` makes
    /// a text harmless on a terminal (`report::text::escape`): causes quote files and answers.
    pub fn render(&self, escape: impl Fn(&str) -> String) -> String {
        let mut text = format!("error: {}\n", escape(&self.message));
        for cause in &self.causes {
            text.push_str(&format!("  cause: {}\n", escape(cause)));
        }
        for hint in &self.hints {
            text.push_str(&format!("  hint:  {}\n", escape(hint)));
        }
        text
    }
}

impl fmt::Display for Error {
    /// The message alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_as_published() {
        let codes = ErrorKind::ALL.map(|kind| (kind, kind.exit_code()));
        assert_eq!(
            codes,
            [
                (ErrorKind::Usage, 2),
                (ErrorKind::Config, 2),
                (ErrorKind::Input, 2),
                (ErrorKind::Store, 4),
                (ErrorKind::Network, 4),
                (ErrorKind::Io, 4),
                (ErrorKind::Internal, 4),
            ]
        );
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open `{path}`")]
    struct Outer {
        path: &'static str,
        source: Inner,
    }

    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Inner(#[from] std::io::Error);

    #[test]
    fn one_line_for_each_cause_and_hint() {
        let outer = Outer {
            path: "estate.db",
            source: Inner(std::io::Error::other("the disk is full")),
        };
        let error = Error::new(ErrorKind::Store, "nothing was imported")
            .caused_by(&outer)
            .cause("line one\nhint: forged")
            .hint("make room and import again");
        assert_eq!(
            error.render(|text| text.replace('\n', "\\n")),
            "error: nothing was imported\n  \
               cause: cannot open `estate.db`\n  \
               cause: the disk is full\n  \
               cause: line one\\nhint: forged\n  \
               hint:  make room and import again\n"
        );
        assert_eq!(error.to_string(), "nothing was imported");
        assert_eq!(error.exit_code(), 4);
    }
}
