use clap::Args;

use crate::book::{self, Book, BookError};
use crate::failure::Failure;
use crate::shell::Shell;

/// Build the book out of docs/
///
/// Its pages go to target/book. Where there is no mdBook 0.5, one is compiled, once for all clones on this machine. A link
/// between pages that leads nowhere is an error, and so is a page that shows other phases of the agent than the code has.
#[derive(Debug, Args)]
pub(super) struct BuildBook {
    /// First write anew what pages have from the code.
    #[arg(long)]
    generate: bool,
}

impl BuildBook {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let book = Book::current().map_err(judged)?;
        if self.generate {
            book.generate().map_err(judged)?;
        }
        let first = book.build(shell).map_err(judged)?;
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
        BookError::Stale(_) => Failure::refused(error).hint("cargo xtask book --generate"),
        BookError::Said { .. } => Failure::refused(error),
        BookError::Mdbook(_) => {
            Failure::from(error).hint(format_args!("cargo install mdbook --version {} --locked", book::VERSION))
        }
        error => error.into(),
    }
}
