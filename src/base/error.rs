//! The one error type. Its message is a whole sentence for the person: what is wrong, where, and what to do.

use std::fmt;

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What sort of thing went wrong; programs branch on this, people read the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A file that was given is missing, damaged or of a kind that is not supported.
    Input,
    /// The recipe, or an option, asks for something that does not exist or cannot be reached.
    Recipe,
    /// The compute device is missing, was lost, or refused an operation.
    Device,
    /// The work would not fit into the memory that is allowed; refused with the figures, and nothing is the worse for it.
    Budget,
    /// There is no memory left.
    Memory,
    /// Reading or writing failed outside of our control.
    Io,
    /// The person stopped the run.
    Cancelled,
    /// A defect of this program.
    Internal,
}

/// An error that a person can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error {
    /// An error of a kind with its sentence.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A given file is missing, damaged or unsupported.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    /// The recipe or an option cannot be carried out.
    pub fn recipe(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Recipe, message)
    }

    /// The compute device failed.
    pub fn device(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Device, message)
    }

    /// The work would not fit into what is allowed.
    pub fn budget(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Budget, message)
    }

    /// There is no memory left.
    pub fn memory(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Memory, message)
    }

    /// Reading or writing failed.
    pub fn io(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Io, message)
    }

    /// A defect of this program; the sentence asks the person to report it.
    pub fn internal(what: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Internal, format!("Coppice has a defect ({what}); please report it with the steps that led here."))
    }

    /// The run was stopped by the person.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "The run was cancelled; nothing was written.")
    }

    /// What sort of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::internal(format_args!("CPU operation: {error}"))
    }
}
