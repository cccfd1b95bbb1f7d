//! What can go wrong with requests.

use std::path::PathBuf;
use std::time::Duration;

use wb_core::system::files::FileError;
use wb_core::system::http;

use super::Answer;

/// What can go wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// There is no answer.
    #[error(transparent)]
    Ask(#[from] http::HttpError),
    /// Whom the host trusts can't be read.
    #[error("could not read whom this host trusts")]
    Trust(#[source] FileError),
    /// The file has no certificate.
    #[error("there is no certificate in {}\nhint: it has lines of `-----BEGIN CERTIFICATE-----`", .path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// What is to be sent has no JSON.
    #[error("what is to be sent to {url} can't be written as JSON")]
    Json {
        /// Where to.
        url: String,
        /// Why.
        source: serde_json::Error,
    },
    /// What came is no JSON, or of another type.
    #[error("what {url} answers is not the JSON that was expected")]
    NoJson {
        /// What was asked.
        url: String,
        /// Why.
        source: serde_json::Error,
    },
    /// It was refused.
    #[error("{method} {url} was answered {answer}")]
    Refused {
        /// How it was sent.
        method: &'static str,
        /// Where to.
        url: String,
        /// What came.
        answer: Box<Answer>,
    },
    /// It was accepted, and what it was to bring about is not so.
    #[error("{method} {url} was answered well, and {} s later its guard still says that it is needed", bound.as_secs())]
    NotSo {
        /// How it was sent.
        method: &'static str,
        /// Where to.
        url: String,
        /// How long it had.
        bound: Duration,
    },
}

impl HttpError {
    /// Whether it will be no better in a moment.
    pub(crate) fn is_final(&self) -> bool {
        use http::HttpError as Ask;
        match self {
            Self::Ask(error) => !error.is_passing() && !matches!(error, Ask::NoHttp { .. }),
            _ => true,
        }
    }
}
