//! What is compiled into this runner.

use std::collections::BTreeMap;

use crate::chain::{Chain, ChainError, Digest, Link, ParseIdError, Range, Sha1, Wait};
use crate::change::RolePolicy;
use crate::context::{Code, Everyone, HerdView, Links, Migration, Role, Settings, Spec, Terms, inventory};
use crate::window::{NoWindow, Window};

/// The compiled migrations in the order of the chain, the roles, the specs, and the types of settings.
#[derive(Debug, Default)]
pub struct Catalog {
    chain: Chain,
    migrations: Vec<&'static Migration>,
    roles: BTreeMap<&'static str, &'static Role>,
    policies: BTreeMap<String, RolePolicy>,
    specs: Vec<&'static Spec>,
    settings: Vec<&'static Settings>,
}

/// Why what is compiled in is no catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The chain is broken.
    #[error("the compiled chain is broken")]
    Chain(#[from] ChainError),
    /// A sha1 or digest is none.
    #[error("the compiled chain is broken")]
    Id(#[from] ParseIdError),
    /// A role's maintenance window is none.
    #[error("a compiled role is broken")]
    Window(#[from] NoWindow),
    /// A place in the chain is empty, or taken twice.
    #[error("the compiled chain has {links} links and none at place {missing}")]
    Gap {
        /// How many links there are.
        links: usize,
        /// The place.
        missing: usize,
    },
    /// A spec is nobody's.
    #[error("nobody would ever ask the spec `{spec}`: it is of no role, and `{module}` is no migration's file")]
    Stray {
        /// Its name.
        spec: &'static str,
        /// The module that it stands in.
        module: &'static str,
    },
}

impl Catalog {
    /// All that the macros registered in this binary.
    ///
    /// # Errors
    /// When that is no chain.
    pub fn compiled() -> Result<Self, CatalogError> {
        let links = inventory::iter::<Links>().flat_map(|links| links.0);
        let catalog = Self::new(links, inventory::iter::<Role>(), inventory::iter::<Spec>())?;
        Ok(Self { settings: inventory::iter::<Settings>().collect(), ..catalog })
    }

    /// A catalog of these, in any order.
    ///
    /// # Errors
    /// When the migrations are no chain.
    pub fn new(
        migrations: impl IntoIterator<Item = &'static Migration>,
        roles: impl IntoIterator<Item = &'static Role>,
        specs: impl IntoIterator<Item = &'static Spec>,
    ) -> Result<Self, CatalogError> {
        let mut migrations: Vec<_> = migrations.into_iter().collect();
        migrations.sort_by_key(|migration| migration.index);
        let gap = migrations.iter().enumerate().find(|(place, migration)| migration.index != *place);
        if let Some((missing, _)) = gap {
            return Err(CatalogError::Gap { links: migrations.len(), missing });
        }
        let mut specs: Vec<_> = specs.into_iter().collect();
        specs.sort_by_key(|spec| (spec.module, spec.name));
        let links = migrations.iter().map(|migration| link(migration)).collect::<Result<_, _>>()?;
        let roles: BTreeMap<_, _> = roles.into_iter().map(|role| (role.name, role)).collect();
        let policies = roles.values().map(|role| policy(role)).collect::<Result<_, _>>()?;
        Ok(Self { chain: Chain::new(links)?, migrations, roles, policies, specs, settings: Vec::new() })
    }

    /// This one, where each spec is a link's or a role's: what nobody asks looks as if it held.
    pub(super) fn without_stray_specs(self) -> Result<Self, CatalogError> {
        let is_stray = |spec: &&Spec| spec.role.is_none() && self.named(spec.link()).is_none();
        let stray = self.specs.iter().copied().find(is_stray);
        match stray {
            None => Ok(self),
            Some(spec) => Err(CatalogError::Stray { spec: spec.name, module: spec.module }),
        }
    }

    /// The chain.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The code of a link, where it is still there.
    #[must_use]
    pub fn code(&self, sha1: Sha1) -> Option<Code> {
        self.chain.position(sha1).and_then(|index| self.migrations[index].run)
    }

    /// The terms that a link runs on.
    #[must_use]
    pub fn terms(&self, sha1: Sha1) -> Terms {
        self.chain.position(sha1).map_or(Terms::NONE, |index| self.migrations[index].terms)
    }

    /// Why links may change something when they are run once more, by their names; those of which nobody says so are to
    /// change nothing then.
    #[must_use]
    pub fn reruns(&self) -> BTreeMap<&'static str, &'static str> {
        self.migrations.iter().filter_map(|migration| Some((migration.name, migration.terms.rerun?))).collect()
    }

    /// A role's code.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&'static Role> {
        self.roles.get(name).copied()
    }

    /// All hosts that links can wait for, each where it is waited for: of the roles that the runner or this herd has.
    #[must_use]
    pub fn everyone(&self, herd: &HerdView) -> Everyone {
        let links = self.chain.links();
        let roles = self.policies.keys().chain(links.iter().map(|link| &link.role));
        let roles = roles.chain(herd.members.iter().flat_map(|member| &member.roles));
        Everyone::new(roles, links.iter().map(|link| &link.name))
    }

    /// How the hosts of each role take turns.
    #[must_use]
    pub fn policies(&self) -> &BTreeMap<String, RolePolicy> {
        &self.policies
    }

    /// The types of settings.
    #[must_use]
    pub fn settings(&self) -> &[&'static Settings] {
        &self.settings
    }

    /// The specs that hold after the link of this name. Those of roles in its file are none of them.
    pub fn specs_of<'a>(&'a self, link: &'a str) -> impl Iterator<Item = &'static Spec> + 'a {
        self.specs.iter().copied().filter(move |spec| spec.role.is_none() && spec.link() == link)
    }

    /// The specs of roles, each with the link from which on it is to hold; nothing: at the end of the chain.
    pub fn specs_of_roles(&self) -> impl Iterator<Item = (&'static Spec, Option<&Link>)> {
        let of_roles = self.specs.iter().copied().filter(|spec| spec.role.is_some());
        of_roles.map(move |spec| (spec, spec.since().and_then(|name| self.named(name))))
    }

    fn named(&self, link: &str) -> Option<&Link> {
        self.chain.links().iter().find(|known| known.name == link)
    }
}

fn link(migration: &Migration) -> Result<Link, ParseIdError> {
    Ok(Link {
        name: migration.name.to_owned(),
        sha1: if migration.sha1.is_empty() { Sha1::ZERO } else { migration.sha1.parse()? },
        role: migration.role.to_owned(),
        digest: migration.digest.parse::<Digest>()?,
        wait: migration.wait.map(Wait::from),
        inside: migration.terms.inside.iter().copied().map(Wait::from).collect(),
        in_load: migration.terms.in_load,
        replaces: migration.replaces.map(range).transpose()?,
        gone: migration.run.is_none(),
    })
}

fn policy(role: &Role) -> Result<(String, RolePolicy), NoWindow> {
    let windows = role.windows.iter().map(|window| window.parse::<Window>()).collect::<Result<_, _>>()?;
    Ok((role.name.to_owned(), RolePolicy { max_out: role.max_out, max_failed: role.max_failed, windows }))
}

fn range((from, to): (&str, &str)) -> Result<Range, ParseIdError> {
    Ok(Range { from: from.parse()?, to: to.parse()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    const fn migration(name: &'static str, index: usize, sha1: &'static str) -> Migration {
        let run = Some(Code::Bare(|_| Ok(())));
        Migration {
            name,
            role: "web",
            sha1,
            digest: DIGEST,
            index,
            wait: None,
            replaces: None,
            terms: Terms::NONE,
            run,
        }
    }

    static FIRST: Migration = migration("first", 0, "1111111111111111111111111111111111111111");
    static SECOND: Migration = migration("second", 1, "2222222222222222222222222222222222222222");
    static THIRD: Migration = migration("third", 2, "");
    static SPEC: Spec = Spec::new("fleet::chain::second", "holds", |_| Ok(()));
    static FROM_SECOND: Spec = Spec::new("fleet::chain::second", "answers", |_| Ok(())).of_role("web");
    static ALWAYS: Spec = Spec::new("fleet::roles", "has_room", |_| Ok(())).of_role("web");

    #[test]
    fn the_order_is_the_chain_s() {
        let catalog = Catalog::new([&THIRD, &FIRST, &SECOND], [], [&SPEC]).unwrap();
        let names: Vec<_> = catalog.chain().links().iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names, ["first", "second", "third"]);
        assert!(catalog.code("2".repeat(40).parse().unwrap()).is_some());
        assert_eq!(catalog.specs_of("second").count(), 1);
        assert_eq!(catalog.specs_of("first").count(), 0);
    }

    #[test]
    fn a_baseline_stands_for_links_whose_code_is_gone() {
        static GONE: Migration =
            Migration { run: None, ..migration("first", 0, "1111111111111111111111111111111111111111") };
        static BASELINE: Migration = Migration {
            replaces: Some(("1111111111111111111111111111111111111111", "1111111111111111111111111111111111111111")),
            ..migration("second", 1, "2222222222222222222222222222222222222222")
        };
        let catalog = Catalog::new([&GONE, &BASELINE], [], []).unwrap();
        let sha1 = |digit: &str| digit.repeat(40).parse::<Sha1>().unwrap();
        assert!(catalog.code(sha1("1")).is_none() && catalog.code(sha1("2")).is_some());
        let links = catalog.chain().links();
        assert!(links[0].gone && !links[1].gone);
        assert_eq!(links[1].replaces, Some(Range { from: sha1("1"), to: sha1("1") }));
    }

    #[test]
    fn specs_of_roles_are_none_of_a_link_and_may_begin_with_one() {
        let catalog = Catalog::new([&FIRST, &SECOND, &THIRD], [], [&SPEC, &FROM_SECOND, &ALWAYS]).unwrap();
        assert_eq!(catalog.specs_of("second").map(|spec| spec.name).collect::<Vec<_>>(), ["holds"]);
        assert_eq!(catalog.specs_of("roles").count(), 0);
        let of_roles = catalog.specs_of_roles().map(|(spec, link)| (spec.name, link.map(|link| link.name.as_str())));
        assert_eq!(of_roles.collect::<Vec<_>>(), [("answers", Some("second")), ("has_room", None)]);
    }

    #[test]
    fn a_spec_that_nobody_would_ask_is_named() {
        static STRAY: Spec = Spec::new("fleet::roles", "has_room", |_| Ok(()));
        let check = |specs: &[&'static Spec], expect: Result<(), &str>| {
            let catalog = Catalog::new([&FIRST, &SECOND, &THIRD], [], specs.iter().copied()).unwrap();
            let found = catalog.without_stray_specs().map(drop).map_err(|error| error.to_string());
            assert_eq!(found, expect.map_err(str::to_owned));
        };
        check(&[&SPEC, &FROM_SECOND, &ALWAYS], Ok(()));
        let expect = "nobody would ever ask the spec `has_room`: it is of no role, and `fleet::roles` is no migration's \
                      file";
        check(&[&SPEC, &STRAY], Err(expect));
    }

    #[test]
    fn a_lone_link_waits_for_whom_the_chain_and_the_herd_know() {
        let catalog = Catalog::new([&FIRST, &SECOND, &THIRD], [], []).unwrap();
        let member = crate::change::Member { roles: ["cache".to_owned()].into(), ..Default::default() };
        let herd = HerdView { me: "web1".into(), members: vec![member] };
        assert_eq!(catalog.everyone(&herd), Everyone::new(["web", "cache"], ["first", "second", "third"]));
    }

    #[test]
    fn only_links_that_say_why_may_change_something_again() {
        static ASKS: Migration = Migration {
            terms: Terms { rerun: Some("it asks for the time"), ..Terms::NONE },
            ..migration("second", 1, "2222222222222222222222222222222222222222")
        };
        let catalog = Catalog::new([&FIRST, &ASKS, &THIRD], [], []).unwrap();
        assert_eq!(catalog.reruns(), [("second", "it asks for the time")].into());
    }

    #[test]
    fn a_gap_is_an_error() {
        let error = Catalog::new([&FIRST, &THIRD], [], []).unwrap_err();
        assert_eq!(error.to_string(), "the compiled chain has 2 links and none at place 1");
    }
}
