use clap::Args;

use crate::book::{self, Book, BookError};
use crate::failure::Failure;
use crate::shell::Shell;

/// Build the book out of docs/
///
/// Its pages go to target/book. Where there is no mdBook 0.5, one is installed below target/tools, once. A link between
/// pages that leads nowhere is an error.
#[derive(Debug, Args)]
pub(super) struct BuildBook {}

impl BuildBook {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let first = Book::current().and_then(|book| book.build(shell)).map_err(judged)?;
        shell.print(format_args!("the book begins at {}", first.display()));
        Ok(())
    }
}

fn judged(error: BookError) -> Failure {
    let repository = env!("CARGO_PKG_REPOSITORY");
    match error {
        BookError::None { .. } | BookError::Workspace(_) => {
            Failure::from(error).hint(format_args!("git clone {repository} && cd wildebeest && cargo xtask book"))
        }
        BookError::Broken { broken } => Failure::all(
            broken.iter().map(|broken| Failure::refused(format_args!("{broken} leads nowhere in the book"))),
        ),
        BookError::Said { .. } => Failure::refused(error),
        BookError::Mdbook(_) => {
            Failure::from(error).hint(format_args!("cargo install mdbook --version {} --locked", book::VERSION))
        }
        error => error.into(),
    }
}
