//! Why an import did not take place at all. A record, a page or a file that cannot be read is no
//! error but part of the report.

use std::io;

/// Nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum IngestError<E> {
    /// A path of the command line does not exist (exit code 2).
    #[error("`{0}` does not exist; nothing was imported")]
    MissingPath(String),
    /// A flag, or a bundle that this version must not read (exit code 2).
    #[error("{0}; nothing was imported")]
    Usage(String),
    /// A path of the command line could not be read (exit code 4).
    #[error("could not read `{path}`; nothing was imported")]
    Io { path: String, source: io::Error },
    /// The intake failed (exit code 4).
    #[error("what was read could not be kept; nothing was imported")]
    Intake(#[source] E),
}

impl<E> IngestError<E> {
    /// Whether the command line is to blame, and not the run.
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::MissingPath(_) | Self::Usage(_) => true,
            Self::Io { .. } | Self::Intake(_) => false,
        }
    }
}
