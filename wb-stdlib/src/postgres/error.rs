//! What can go wrong with PostgreSQL.

use wb_core::context::DebtError;

use crate::command::CommandError;
use crate::owner::OwnerError;

/// What can go wrong with PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Nothing can be called so.
    #[error("`{}` is no name of a PostgreSQL {kind}\nhint: names have 1 to 63 bytes, and no line breaks", name.escape_debug())]
    BadName {
        /// Of what: `role`, `database` …
        kind: &'static str,
        /// What was asked for.
        name: String,
    },
    /// A value that no SQL can say, or that means something else there.
    #[error("the {what} can't be {value}\nhint: {hint}")]
    BadValue {
        /// Of what.
        what: String,
        /// What was asked for, or what it has.
        value: String,
        /// What would do.
        hint: &'static str,
    },
    /// A password that can't be made a verifier of here.
    #[error(
        "the password of the role `{role}` is empty, or has other characters than printable ASCII\nhint: a verifier that \
         the server made, given with `.verifier(…)`, may stand for any password"
    )]
    BadPassword {
        /// Whose.
        role: String,
    },
    /// There is no salt for a password.
    #[error("could not get a salt for a password from the kernel")]
    Salt(#[source] std::io::Error),
    /// There is no `psql`.
    #[error("the program `psql` is not installed\nhint: Debian has it in the package `postgresql-client`")]
    NoClient,
    /// `psql` can't be run.
    #[error("could not run `psql`")]
    Client(#[source] Box<CommandError>),
    /// Nobody answers.
    #[error(
        "PostgreSQL{server} does not answer: {said}\nhint: `pg_lsclusters` on the host shows its servers and their ports"
    )]
    Unreachable {
        /// Which one, as in ` at port 5433`.
        server: String,
        /// What `psql` said.
        said: String,
    },
    /// The server refused.
    #[error("PostgreSQL refused it ({what}): {said}{}", hint(said))]
    Refused {
        /// What was being done.
        what: String,
        /// What it said.
        said: String,
    },
    /// Its answer can't be read.
    #[error("what PostgreSQL said of itself can't be read")]
    Misread(#[source] serde_json::Error),
    /// The server takes its content from another one.
    #[error("PostgreSQL{server} is a standby: what is in it comes from its primary\nhint: change it there")]
    Standby {
        /// Which one, as in ` at port 5433`.
        server: String,
    },
    /// No such role.
    #[error("there is no PostgreSQL role `{role}`\nhint: `postgres.role({role:?}).present()?` makes it")]
    NoSuchRole {
        /// What was asked for.
        role: String,
    },
    /// No such database.
    #[error(
        "there is no PostgreSQL database `{database}`\nhint: `postgres.database({database:?}).present()?` makes it"
    )]
    NoSuchDatabase {
        /// What was asked for.
        database: String,
    },
    /// No files of such an extension.
    #[error(
        "there is no extension `{extension}`{} on this host\nhint: Debian has most of them in packages like \
         `postgresql-15-{extension}`; `SELECT * FROM pg_available_extension_versions` shows those that there are",
        version.as_ref().map(|version| format!(" of version {version}")).unwrap_or_default()
    )]
    NoSuchExtension {
        /// What was asked for.
        extension: String,
        /// In which version.
        version: Option<String>,
    },
    /// No such schema or table.
    #[error("there is no {object} in the PostgreSQL database `{database}`")]
    NoSuchObject {
        /// What was asked for, as in ``table `public.orders` ``.
        object: String,
        /// Where.
        database: String,
    },
    /// No such setting.
    #[error("PostgreSQL knows no setting `{setting}`\nhint: `SELECT name FROM pg_settings` shows those that there are")]
    NoSuchSetting {
        /// What was asked for.
        setting: String,
    },
    /// What a database has from its beginning to its end.
    #[error(
        "the {property} of the PostgreSQL database `{database}` is {found}, not {wanted}, and can't be changed\nhint: make \
         another database, and copy what is in this one"
    )]
    Fixed {
        /// Which one.
        database: String,
        /// Of what.
        property: &'static str,
        /// What it is.
        found: String,
        /// What it is to be.
        wanted: String,
    },
    /// The server was stopped while it dropped the database: nobody can use what is left.
    #[error(
        "the PostgreSQL database `{database}` was half dropped when its server ended\nhint: `.absent()?` drops it wholly"
    )]
    HalfDropped {
        /// Which one.
        database: String,
    },
    /// All ended well, and it is not so.
    #[error("{what}: PostgreSQL was told, and ended well, but it is not so:\n{left}")]
    NotSo {
        /// What was wanted.
        what: String,
        /// What still differs.
        left: String,
    },
    /// What the change makes necessary can't be written down, so it was not made.
    #[error("could not write down what a change makes necessary, so it was not made ({what})")]
    Owe {
        /// What was being done.
        what: String,
        /// Why.
        source: DebtError,
    },
}

impl PostgresError {
    /// Why a plan can't know yet, where something before it may mend this.
    pub(super) fn why_not_yet(&self) -> Option<String> {
        match self {
            Self::NoClient => Some("there is no `psql` yet".into()),
            Self::Client(error) => match &**error {
                CommandError::User { source: OwnerError::Nobody { name, .. }, .. } => {
                    Some(format!("there is no user `{name}` yet"))
                }
                _ => None,
            },
            Self::Unreachable { server, .. } => Some(format!("PostgreSQL{server} does not answer yet")),
            Self::NoSuchRole { role } => Some(format!("there is no role `{role}` yet")),
            Self::NoSuchDatabase { database } => Some(format!("there is no database `{database}` yet")),
            Self::NoSuchExtension { extension, .. } => {
                Some(format!("there is no extension `{extension}` on this host yet"))
            }
            Self::NoSuchObject { object, database } => Some(format!("there is no {object} in `{database}` yet")),
            Self::NoSuchSetting { setting } => Some(format!("PostgreSQL knows no setting `{setting}` yet")),
            _ => None,
        }
    }

    /// This one, of an operation.
    pub(super) fn at(self, operation: &str) -> Self {
        match self {
            Self::Refused { said, .. } => Self::Refused { what: operation.to_owned(), said },
            other => other,
        }
    }
}

/// What helps where the server refuses what people want most often.
fn hint(said: &str) -> &'static str {
    if said.contains("some objects depend on it") || said.contains("owner of") {
        "\nhint: in each database that it has something in, `REASSIGN OWNED BY … TO …` and `DROP OWNED BY …` free the role"
    } else if said.contains("is being accessed by other users") {
        "\nhint: `.disconnecting()` before `.absent()?` ends their sessions; stop what opens new ones first"
    } else if said.contains("incompatible") && said.contains("template") {
        "\nhint: `.template(\"template0\")` goes with any encoding and locale"
    } else {
        ""
    }
}
