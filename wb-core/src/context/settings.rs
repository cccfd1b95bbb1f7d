//! Types of settings, and whether what `herd.toml` says fits them.
//!
//! The runner asks before a change is made, and a host when a migration reads its settings; both by the same values, as
//! JSON, which is how a change carries them. Where they do not fit, TOML is asked once more, for the place.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::chain::nearest;
use crate::herd::{Herd, HerdError, HostEntry, place};

/// The compiled type of a table of settings.
#[derive(Debug)]
pub struct Settings {
    /// The table's name below `[hosts.NAME.settings]`.
    pub table: &'static str,
    /// Whose hosts have it; all hosts where nobody says.
    pub role: Option<&'static str>,
    /// Whether a table is one of these.
    pub fits: fn(Table<'_>) -> Result<(), Misfit>,
}

inventory::collect!(Settings);

/// A table of one host.
#[derive(Debug, Clone)]
pub struct Table<'a> {
    /// What it says, as a change carries it.
    pub value: &'a Value,
    /// What it says where it stands.
    pub written: Option<Spanned<DeValue<'a>>>,
}

/// Why a table does not fit its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// In words.
    pub what: String,
    /// Where, in bytes of `herd.toml`.
    pub span: Option<Range<usize>>,
}

/// Whether a table is a `T`.
///
/// # Errors
/// When it is none, with the place where that can be told.
pub fn fits<T: DeserializeOwned>(table: Table<'_>) -> Result<(), Misfit> {
    let Err(error) = T::deserialize(table.value) else { return Ok(()) };
    match table.written.map(ValueDeserializer::from).map(T::deserialize) {
        Some(Err(error)) => Err(Misfit { what: error.message().trim().replace('\n', "; "), span: error.span() }),
        Some(Ok(_)) | None => Err(Misfit { what: error.to_string(), span: None }),
    }
}

/// Settings of a host that do not fit the code that reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfit {
    /// The host.
    pub host: String,
    /// Where it stands in `herd.toml`, counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub what: String,
}

/// What in the text of a `herd.toml` does not fit these types.
///
/// # Errors
/// When the text itself has a mistake.
pub fn unfit<'s>(text: &str, types: impl IntoIterator<Item = &'s Settings>) -> Result<Vec<Unfit>, HerdError> {
    let types: Vec<&Settings> = types.into_iter().collect();
    let herd = Herd::parse(text)?;
    let document = DeTable::parse(text).map(|root| root.into_inner()).unwrap_or_default();
    let hosts = document.get("hosts").map(Spanned::get_ref);
    let mut found = Vec::new();
    for (name, host) in &herd.hosts {
        let types = types.iter().copied().filter(|settings| settings.role.is_none_or(|role| host.roles.contains(role)));
        let written = hosts.and_then(|hosts| hosts.get(name.as_str()));
        for (what, span) in unfit_of(host, written, &types.collect::<Vec<_>>()) {
            let (line, column) = place(text, span.map_or(0, |span| span.start));
            found.push(Unfit { host: name.clone(), line, column, what });
        }
    }
    found.sort_by_key(|unfit| (unfit.line, unfit.column));
    Ok(found)
}

type Told = (String, Option<Range<usize>>);

/// What does not fit of one host.
fn unfit_of(host: &HostEntry, written: Option<&Spanned<DeValue<'_>>>, types: &[&Settings]) -> Vec<Told> {
    let tables = written.and_then(|host| host.get_ref().get("settings")).map(Spanned::get_ref);
    let known: BTreeSet<&str> = types.iter().map(|settings| settings.table).collect();
    let others = || host.settings.keys().map(String::as_str).filter(|key| !known.contains(key));
    let mut found = Vec::new();
    for settings in types {
        let Settings { table, fits, .. } = settings;
        let at = tables.and_then(|tables| tables.get(*table));
        if let Some(value) = host.settings.get(*table) {
            if let Err(misfit) = fits(Table { value, written: at.cloned() }) {
                let what = format!("the settings `{table}` do not fit: {}", misfit.what);
                found.push((what, misfit.span.or_else(|| at.map(Spanned::span))));
            }
            continue;
        }
        // A table that is not there is one that says nothing.
        let nothing = Value::Object(serde_json::Map::new());
        let missing = fits(Table { value: &nothing, written: None }).err();
        let misspelt = others().find(|other| nearest(other, [*table]).is_some());
        if let Some(misspelt) = misspelt {
            let span = tables.and_then(|tables| tables.get(misspelt)).map(Spanned::span);
            found.push((format!("there are no settings `{misspelt}`; did you mean `{table}`?"), span));
        } else if let Some(missing) = missing {
            let what = format!("it has no settings `{table}`: {}", missing.what);
            found.push((what, written.map(Spanned::span)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Network {
        hostname: String,
        #[serde(default)]
        mtu: Option<u16>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Tuning {
        #[serde(default)]
        workers: u8,
    }

    static NETWORK: Settings = Settings { table: "network", role: None, fits: fits::<Network> };
    static TUNING: Settings = Settings { table: "tuning", role: Some("web"), fits: fits::<Tuning> };

    fn check(text: &str, expect: &[&str]) {
        let unfit = unfit(text, [&NETWORK, &TUNING]).unwrap();
        let said: Vec<String> =
            unfit.iter().map(|u| format!("{} {}:{} {}", u.host, u.line, u.column, u.what)).collect();
        assert_eq!(said, expect);
    }

    const FITS: &str = "[hosts.web1]\nroles = ['web']\n[hosts.web1.settings.network]\nhostname = 'web1'\n";

    #[test]
    fn what_fits_is_not_told() {
        check("", &[]);
        check(FITS, &[]);
        check(&format!("{FITS}mtu = 1500\n[hosts.web1.settings]\ntuning = {{ workers = 4 }}\nfree = true\n"), &[]);
    }

    #[test]
    fn values_of_another_type_have_their_place() {
        let wrong = "the settings `network` do not fit: invalid type: string \"big\", expected u16";
        check(&format!("{FITS}mtu = 'big'\n"), &[&format!("web1 5:7 {wrong}")]);
    }

    #[test]
    fn misspelt_keys_have_their_place() {
        let wrong = "the settings `network` do not fit: unknown field `mtuu`, expected `hostname` or `mtu`";
        check(&format!("{FITS}mtuu = 1\n"), &[&format!("web1 5:1 {wrong}")]);
    }

    #[test]
    fn what_is_missing_is_told_where_it_belongs() {
        let text = "[hosts.db1]\nroles = []\n\n[hosts.web1]\nroles = ['web']\n[hosts.web1.settings.network]\n";
        let of_db1 = "db1 1:1 it has no settings `network`: missing field `hostname`";
        let of_web1 = "web1 6:1 the settings `network` do not fit: missing field `hostname`";
        check(text, &[of_db1, of_web1]);
    }

    #[test]
    fn misspelt_tables_are_told_also_where_nothing_is_missing() {
        let text = format!("{FITS}[hosts.web1.settings.tunig]\nworkers = 4\n");
        check(&text, &["web1 5:1 there are no settings `tunig`; did you mean `tuning`?"]);
        let text = FITS.replace("network", "netwrok");
        check(&text, &["web1 3:1 there are no settings `netwrok`; did you mean `network`?"]);
    }

    #[test]
    fn tables_of_other_roles_are_not_asked_for() {
        let text = FITS.replace("'web'", "'db'") + "[hosts.web1.settings.tuning]\nworkers = 'many'\n";
        check(&text, &[]);
    }
}
