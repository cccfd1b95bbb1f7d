//! Bringing back the log of a git server that was restored from a backup: out of this machine's memory, and out of what
//! signed reports name. Nothing is signed anew, and nothing is decided: of all that is known one log must have all others
//! as its beginning.

use std::fmt;

use serde::{Serialize, Serializer};
use wb_core::chain::Sha1;
use wb_core::change::{Manifest, Runner};
use wb_core::registry::{LogError, Pushed, VerifiedChange};

use crate::operator::memory::{HERE, LostRunner, Nowhere, Recalled};
use crate::operator::{Operator, OperatorError};

/// What the remote lacks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recovery {
    /// The newest change of the whole log; none: nobody knows of any.
    pub newest: Option<Said>,
    /// The changes that the remote lacks, oldest first.
    pub lost: Vec<Said>,
    /// Who knows them.
    pub witnesses: Vec<String>,
    /// The changes that are given up for those, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<Said>,
    /// The commit that the remote's log ends with, where nobody signed that whose word counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Sha1>,
    /// The runners that the remote lacks.
    #[serde(serialize_with = "platforms")]
    pub runners: Vec<LostRunner>,
    /// Whose log is nowhere to be found.
    #[serde(serialize_with = "witnesses")]
    pub nowhere: Nowhere,
    /// Where the remote's log ends.
    #[serde(skip)]
    tip: Option<Sha1>,
}

impl Recovery {
    /// Whether there is nothing to bring back from here.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.lost.is_empty()
            && self.given_up.is_empty()
            && self.dropped.is_none()
            && !self.runners.iter().any(|lost| lost.is_here)
    }
}

fn platforms<S: Serializer>(lost: &[LostRunner], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(lost.iter().map(|lost| (&lost.platform, if lost.is_here { "here" } else { "nowhere" })))
}

fn witnesses<S: Serializer>(nowhere: &Nowhere, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Knows<'a> {
        witness: &'a str,
        commit: Sha1,
    }
    serializer.collect_seq(nowhere.iter().map(|(witness, commit)| Knows { witness, commit: *commit }))
}

/// A change in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The commit.
    pub commit: Sha1,
    /// Number, kind and message.
    pub change: String,
    /// Who, as they say.
    pub author: String,
}

impl From<&VerifiedChange> for Said {
    fn from(change: &VerifiedChange) -> Self {
        Self { commit: change.sha1, change: change.manifest.to_string(), author: change.manifest.author.clone() }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, by {} ({})", self.change, self.author, self.commit.short())
    }
}

/// A whole log, and who knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Who.
    pub witnesses: Vec<String>,
    /// Its changes, oldest first.
    pub changes: Vec<Said>,
}

/// Why nothing is brought back.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// Two logs are known, and neither is the beginning of the other.
    #[error("the log of changes has forked after {}: whoever follows one side refuses the other", .0.after.as_ref().map_or_else(|| "its beginning".to_owned(), ToString::to_string))]
    Forked(Box<Fork>),
    /// No log ends there.
    #[error("no log that is known ends with a commit `{commit}`")]
    NoSuch {
        /// The commit, or its beginning.
        commit: String,
    },
    /// It may be many commits.
    #[error("`{commit}` is too short for a commit, or none: at least 7 hexadecimal digits are needed")]
    Vague {
        /// The commit, or its beginning.
        commit: String,
    },
    /// Several logs end with such a commit.
    #[error("{count} logs that are known end with a commit `{commit}`…: more digits are needed")]
    Several {
        /// The beginning of the commits.
        commit: String,
        /// How many there are.
        count: usize,
    },
    /// Hosts follow the log that would be given up.
    #[error("{} accepted changes that would be given up, and would refuse all others", hosts.join(", "))]
    Followed {
        /// Which hosts.
        hosts: Vec<String>,
    },
    /// A log does not count.
    #[error(
        "the log that {} can't be judged here: {count} of its changes count, and the next one does not",
        who_knows(witnesses)
    )]
    Doubtful {
        /// Who knows it; the remote where there is nobody.
        witnesses: Vec<String>,
        /// How many of its changes count.
        count: usize,
        /// Why the next does not.
        source: Box<LogError>,
    },
    /// Somebody else moved the log.
    #[error("the log has moved on the remote meanwhile; nothing was changed")]
    Moved,
    /// The remote.
    #[error(transparent)]
    Operator(#[from] OperatorError),
}

/// Two sides of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The last change that they have in common.
    pub after: Option<Said>,
    /// What each has after that.
    pub sides: [Side; 2],
}

impl Fork {
    fn of(one: &Side, other: &Side) -> Self {
        let same = common(one, other);
        let since = |side: &Side| Side { changes: side.changes[same..].to_vec(), ..side.clone() };
        Self { after: same.checked_sub(1).map(|last| one.changes[last].clone()), sides: [since(one), since(other)] }
    }
}

impl fmt::Display for Fork {
    /// Both sides, each with who knows it, and its changes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for side in &self.sides {
            writeln!(f, "the log that {}:", who_knows(&side.witnesses))?;
            side.changes.iter().try_for_each(|change| writeln!(f, "  {change}"))?;
        }
        Ok(())
    }
}

/// What an operator says of logs that are not one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// To drop what stands at the end of the remote's log and does not count.
    pub drop_unsigned: bool,
    /// To keep the log that ends with this commit, or its beginning, and give the others up.
    pub keep: Option<String>,
}

/// Looks what the remote lacks.
///
/// # Errors
/// When the log has forked and nobody chose a side, or what is known of it does not count.
pub fn look(operator: &Operator, choice: &Choice) -> Result<Recovery, RecoverError> {
    operator.fetch()?;
    let (recalled, nowhere) = operator.recalled()?;
    let tip = operator.tip()?;
    let (remote, doubt) = tip.map(|tip| operator.verified(tip)).unwrap_or_default();
    let dropped = match doubt {
        Some(source) if !choice.drop_unsigned => {
            let (witnesses, source) = (Vec::new(), Box::new(source));
            return Err(RecoverError::Doubtful { witnesses, count: remote.len(), source });
        }
        doubt => tip.filter(|_| doubt.is_some()),
    };
    let end = remote.last().map(|change| change.sha1);
    let remote = Side { witnesses: Vec::new(), changes: remote.iter().map(Said::from).collect() };
    let known = heads(operator, &recalled, end).into_iter().map(|recalled| side(operator, recalled));
    let (whole, given_up) = whole(&remote, known.collect::<Result<_, _>>()?, choice.keep.as_deref())?;
    refuse_followed(operator, &whole, &recalled)?;
    let newest = whole.changes.last().map(|last| operator.logged(last.commit)).transpose();
    let newest = newest.map_err(|source| OperatorError::Newest { source })?.map(|newest| newest.manifest);
    Ok(Recovery {
        newest: whole.changes.last().cloned(),
        lost: whole.changes[common(&whole, &remote)..].to_vec(),
        witnesses: whole.witnesses,
        given_up,
        dropped,
        runners: operator.lost_runners(&newest.unwrap_or_else(Manifest::default))?,
        nowhere,
        tip,
    })
}

/// Pushes back what the remote lacks and this machine has, all of it or nothing.
///
/// # Errors
/// When the remote can't be reached or refuses, or its log has moved.
pub fn carry_out(operator: &Operator, recovery: &Recovery) -> Result<(), RecoverError> {
    if recovery.is_whole() {
        return Ok(());
    }
    let here: Vec<Runner> =
        recovery.runners.iter().filter(|lost| lost.is_here).map(|lost| lost.runner.clone()).collect();
    let newest = recovery.newest.as_ref().map(|newest| newest.commit);
    match operator.put_back(recovery.tip, newest, &here)? {
        Pushed::Won => Ok(()),
        Pushed::Lost => Err(RecoverError::Moved),
    }
}

/// Of what is recalled, the logs that are neither in the remote's nor in one another.
fn heads<'a>(operator: &Operator, recalled: &'a [Recalled], remote: Option<Sha1>) -> Vec<&'a Recalled> {
    let is_in = |log: Sha1, tip: Sha1| log != tip && operator.contains(log, tip);
    let beyond = recalled.iter().filter(|one| remote.is_none_or(|remote| !operator.contains(remote, one.tip)));
    beyond.filter(|one| !recalled.iter().any(|other| is_in(other.tip, one.tip))).collect()
}

fn side(operator: &Operator, recalled: &Recalled) -> Result<Side, RecoverError> {
    let (changes, doubt) = operator.verified(recalled.tip);
    let witnesses = recalled.witnesses.clone();
    match doubt {
        Some(source) => Err(RecoverError::Doubtful { witnesses, count: changes.len(), source: Box::new(source) }),
        None => Ok(Side { witnesses, changes: changes.iter().map(Said::from).collect() }),
    }
}

/// The log that has all others as its beginning, or the one that is to be kept; and what of the others is not in it.
fn whole(remote: &Side, known: Vec<Side>, keep: Option<&str>) -> Result<(Side, Vec<Said>), RecoverError> {
    let sides: Vec<Side> = std::iter::once(remote.clone()).chain(known).collect();
    let chosen = match keep {
        Some(keep) => kept(&sides, keep)?,
        None => sides.iter().rev().max_by_key(|side| side.changes.len()).unwrap_or(remote),
    };
    let beyond = |side: &Side| side.changes[common(chosen, side)..].to_vec();
    match sides.iter().find(|side| !beyond(side).is_empty()) {
        Some(other) if keep.is_none() => Err(RecoverError::Forked(Box::new(Fork::of(other, chosen)))),
        _ => Ok((chosen.clone(), sides.iter().flat_map(beyond).collect())),
    }
}

/// The one log that ends with a commit that begins like this.
fn kept<'a>(sides: &'a [Side], keep: &str) -> Result<&'a Side, RecoverError> {
    const SHORTEST: usize = 7;
    let (commit, keep) = (keep.to_owned(), keep.to_lowercase());
    if keep.len() < SHORTEST || !keep.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(RecoverError::Vague { commit });
    }
    let ends = |side: &&Side| side.changes.last().is_some_and(|last| last.commit.to_string().starts_with(&keep));
    let found: Vec<&Side> = sides.iter().filter(ends).collect();
    match found[..] {
        [side] => Ok(side),
        [] => Err(RecoverError::NoSuch { commit }),
        _ => Err(RecoverError::Several { commit, count: found.len() }),
    }
}

/// How many changes two logs begin with in common.
fn common(one: &Side, other: &Side) -> usize {
    one.changes.iter().zip(&other.changes).take_while(|(a, b)| a.commit == b.commit).count()
}

/// A host that accepted a change refuses every log without it.
fn refuse_followed(operator: &Operator, whole: &Side, recalled: &[Recalled]) -> Result<(), RecoverError> {
    let end = whole.changes.last().map(|last| last.commit);
    let others = recalled.iter().filter(|recalled| end.is_none_or(|end| !operator.contains(end, recalled.tip)));
    let hosts: Vec<String> = others.flat_map(|other| other.witnesses.clone()).filter(|who| who != HERE).collect();
    if hosts.is_empty() { Ok(()) } else { Err(RecoverError::Followed { hosts }) }
}

fn who_knows(witnesses: &[String]) -> String {
    match witnesses {
        [] => "the remote has".to_owned(),
        [one] => format!("{one} knows"),
        all => format!("{} know", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of changes, a letter each.
    fn side(witness: &str, letters: &str) -> Side {
        let said = |(place, letter): (usize, char)| Said {
            commit: Sha1::from_bytes([letter as u8; 20]),
            change: format!("{} hold: {letter}", place + 1),
            author: "Ana".into(),
        };
        let witnesses = Some(witness.to_owned()).filter(|witness| !witness.is_empty()).into_iter().collect();
        Side { witnesses, changes: letters.chars().enumerate().map(said).collect() }
    }

    fn check(remote: &str, known: &[(&str, &str)], expect: Result<(&str, &[&str]), &str>) {
        check_keeping(None, remote, known, expect.map(|(log, who)| (log, who, 0)));
    }

    fn check_keeping(
        keep: Option<&str>,
        remote: &str,
        known: &[(&str, &str)],
        expect: Result<(&str, &[&str], usize), &str>,
    ) {
        let known = known.iter().map(|(witness, letters)| side(witness, letters)).collect();
        let found = whole(&side("", remote), known, keep).map(|(side, given_up)| (side, given_up.len()));
        let letter = |said: &Said| char::from(said.commit.as_bytes()[0]);
        let letters = |side: &Side| side.changes.iter().map(letter).collect::<String>();
        let said =
            found.map(|(side, given_up)| (letters(&side), side.witnesses, given_up)).map_err(|error| match error {
                RecoverError::Forked(fork) => format!("{}\n{fork}", RecoverError::Forked(fork.clone())),
                error => error.to_string(),
            });
        let owned = |who: &[&str]| who.iter().map(|who| (*who).to_owned()).collect();
        let expect = expect.map(|(log, who, given_up)| (log.to_owned(), owned(who), given_up));
        assert_eq!(said, expect.map_err(str::to_owned));
    }

    #[test]
    fn the_longest_log_that_has_all_others_in_it_is_the_whole_one() {
        check("", &[], Ok(("", &[])));
        check("abc", &[], Ok(("abc", &[])));
        check("ab", &[("this machine", "abcd")], Ok(("abcd", &["this machine"])));
        check("", &[("`web1`", "abc"), ("this machine", "abcd")], Ok(("abcd", &["this machine"])));
        check("abcd", &[("this machine", "ab")], Ok(("abcd", &[])));
    }

    #[test]
    fn a_log_that_forked_is_shown_from_both_sides() {
        let forked = "the log of changes has forked after 2 hold: b, by Ana (6262626): whoever follows one side refuses the \
                      other\nthe log that the remote has:\n  3 hold: x, by Ana (7878787)\nthe log that this machine \
                      knows:\n  3 hold: c, by Ana (6363636)\n  4 hold: d, by Ana (6464646)\n";
        check("abx", &[("this machine", "abcd")], Err(forked));
        let begun = "the log of changes has forked after its beginning: whoever follows one side refuses the other\nthe log \
                     that `web1` knows:\n  1 hold: x, by Ana (7878787)\nthe log that the remote has:\n  1 hold: a, by Ana \
                     (6161616)\n  2 hold: b, by Ana (6262626)\n";
        check("ab", &[("`web1`", "x")], Err(begun));
    }

    #[test]
    fn of_a_fork_a_side_may_be_kept() {
        let machine = ("this machine", "abcd");
        check_keeping(Some("6464646"), "abx", &[machine], Ok(("abcd", &["this machine"], 1)));
        check_keeping(Some("7878787"), "abx", &[machine], Ok(("abx", &[], 2)));
        check_keeping(Some("6161616"), "abx", &[machine], Err("no log that is known ends with a commit `6161616`"));
    }

    #[test]
    fn which_side_is_kept_must_be_clear() {
        let check = |keep: &str, expect: &str| {
            check_keeping(Some(keep), "abx", &[("this machine", "abcd"), ("`web1`", "abcx")], Err(expect));
        };
        let short = |keep: &str| {
            format!("`{keep}` is too short for a commit, or none: at least 7 hexadecimal digits are needed")
        };
        for keep in ["", "787878", "the first one"] {
            check(keep, &short(keep));
        }
        check("7878787", "2 logs that are known end with a commit `7878787`…: more digits are needed");
    }

    #[test]
    fn what_is_doubtful_says_whose_it_is() {
        let doubtful = |witnesses: &[&str]| RecoverError::Doubtful {
            witnesses: witnesses.iter().map(|who| (*who).to_owned()).collect(),
            count: 3,
            source: Box::new(LogError::Merge { commit: Sha1::ZERO }),
        };
        let check = |who: &[&str], expect: &str| {
            let rest = "can't be judged here: 3 of its changes count, and the next one does not";
            assert_eq!(doubtful(who).to_string(), format!("the log that {expect} {rest}"));
        };
        check(&[], "the remote has");
        check(&["`web1`"], "`web1` knows");
        check(&["`web1`", "this machine"], "`web1`, this machine know");
    }
}
