//! The git server of a simulated herd: refs and objects in memory. A push moves all of its refs or none, each from the
//! value that it names.

use std::rc::Rc;

use wb_core::chain::Sha1;
use wb_core::change::Manifest;
use wb_core::pool::Pool;
use wb_core::registry::{RefName, RefUpdate, Verdict};
use wb_core::report::Report;

use super::refs::Refs;

/// What a ref may point to.
#[derive(Debug)]
pub enum Object {
    /// A change, and who signed it, if anybody did.
    Change {
        /// The change before it.
        parent: Option<Sha1>,
        /// Whose signature it has.
        signer: Option<&'static str>,
        /// What it says.
        manifest: Rc<Manifest>,
    },
    /// A report, and the key that signed it.
    Report {
        /// What it says.
        report: Rc<Report>,
        /// The key.
        key: String,
    },
    /// A role's pool.
    Pool(Pool),
    /// The picture of a state.
    State,
    /// A runner.
    Runner(Vec<u8>),
}

/// What all hosts share.
#[derive(Debug, Default)]
pub struct Server {
    /// The refs.
    pub refs: Refs,
    objects: Vec<Object>,
}

impl Server {
    /// Adds an object, and gives its name.
    pub fn add(&mut self, object: Object) -> Sha1 {
        self.objects.push(object);
        name(self.objects.len())
    }

    /// The object of this name.
    #[must_use]
    pub fn object(&self, sha1: Sha1) -> Option<&Object> {
        let index = number(sha1)?;
        self.objects.get(index.checked_sub(1)?)
    }

    /// Where a ref points.
    #[must_use]
    pub fn get(&self, name: &RefName) -> Option<Sha1> {
        self.refs.get(name)
    }

    /// Points a ref somewhere, whatever it pointed to.
    pub fn point(&mut self, name: &RefName, to: Option<Sha1>) {
        self.refs.point(name, to);
    }

    /// Moves refs, all of them or none, and says what became of each.
    pub fn push(&mut self, updates: &[RefUpdate]) -> Vec<Verdict> {
        let judged: Vec<Option<Verdict>> = updates.iter().map(|update| self.judge(update)).collect();
        if judged.iter().any(Option::is_some) {
            return judged.into_iter().map(|verdict| verdict.unwrap_or(Verdict::Stale)).collect();
        }
        for update in updates {
            self.point(&update.name, update.new);
        }
        updates.iter().map(|_| Verdict::Written).collect()
    }

    fn judge(&self, update: &RefUpdate) -> Option<Verdict> {
        let there = self.get(&update.name);
        match there == update.expected {
            _ if there == update.new => Some(Verdict::Identical),
            true => None,
            false => Some(Verdict::Stale),
        }
    }

    /// The newest change, as the ref has it.
    #[must_use]
    pub fn newest(&self) -> Option<(Sha1, Rc<Manifest>)> {
        let tip = self.get(&RefName::Changes)?;
        match self.object(tip)? {
            Object::Change { manifest, .. } => Some((tip, Rc::clone(manifest))),
            _ => None,
        }
    }

    /// The report of this identity.
    #[must_use]
    pub fn report(&self, uuid: uuid::Uuid) -> Option<&Report> {
        match self.object(self.get(&RefName::Report(uuid))?)? {
            Object::Report { report, .. } => Some(report),
            _ => None,
        }
    }

    /// The pool of a role.
    #[must_use]
    pub fn pool(&self, role: &str) -> Option<&Pool> {
        match self.object(self.get(&RefName::Out(role.to_owned()))?)? {
            Object::Pool(pool) => Some(pool),
            _ => None,
        }
    }

    /// Whether `newer` is `older` or comes after it.
    #[must_use]
    pub fn descends(&self, newer: Sha1, older: Sha1) -> bool {
        let parent = |sha1: &Sha1| match self.object(*sha1) {
            Some(Object::Change { parent, .. }) => *parent,
            _ => None,
        };
        std::iter::successors(Some(newer), parent).any(|sha1| sha1 == older)
    }
}

/// Objects are numbered; a name begins with the number, so that its short form tells it.
fn name(number: usize) -> Sha1 {
    let mut bytes = [0xee; 20];
    let number = u32::try_from(number).unwrap_or(u32::MAX) << 4;
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Sha1::from_bytes(bytes)
}

fn number(name: Sha1) -> Option<usize> {
    let bytes = name.as_bytes();
    let rest = bytes[4..].iter().all(|byte| *byte == 0xee);
    let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) >> 4;
    rest.then(|| usize::try_from(number).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(role: &str, expected: Option<Sha1>, new: Sha1) -> RefUpdate {
        RefUpdate { name: RefName::Out(role.into()), expected, new: Some(new) }
    }

    #[test]
    fn a_push_moves_all_or_nothing() {
        let mut server = Server::default();
        let [a, b] = [0, 1].map(|_| server.add(Object::State));
        assert_eq!(server.push(&[update("web", None, a)]), [Verdict::Written]);
        assert_eq!(server.push(&[update("web", Some(a), a)]), [Verdict::Identical]);
        assert_eq!(server.push(&[update("db", None, b), update("web", None, b)]), [Verdict::Stale, Verdict::Stale]);
        assert_eq!(server.get(&RefName::Out("db".into())), None);
        assert_eq!(
            server.push(&[update("db", None, b), update("web", Some(a), b)]),
            [Verdict::Written, Verdict::Written]
        );
    }

    #[test]
    fn an_object_is_found_by_its_name() {
        let mut server = Server::default();
        let names: Vec<Sha1> = (0..1000).map(|_| server.add(Object::State)).collect();
        assert!(names.iter().all(|name| server.object(*name).is_some()));
        assert!(server.object(Sha1::ZERO).is_none() && server.object(name(1001)).is_none());
        assert_ne!(names[0].short(), names[1].short());
    }
}
