//! What somebody does to a remote who may write there whatever they like. The runner of a host reads what comes of it.

use wb_core::chain::{Digest, Sha1};
use wb_core::change::{Manifest, Runner};
use wb_core::registry::SigningKey;
use wb_core::runner::platform;
use wb_core::system::files;

use super::super::TortureError;
use super::super::chance::Chance;
use super::super::links::Generation;
use super::super::operator::reference;
use super::super::stage::{Place, Stage, script};
use super::bare::{Bare, Signer};
use super::draw::Draw;
use super::mutation::mutated;
use super::wire::Wire;

/// Something that is done to a remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trick {
    /// A ref names an object that is not there.
    RefToNothing,
    /// A ref points to a blob, a tree or a tag.
    RefToOther,
    /// The file of a ref is cut short, or holds something else.
    RefTorn,
    /// The packed refs are torn.
    PackedRefsTorn,
    /// A ref is symbolic.
    RefSymbolic,
    /// There are hundreds of refs with odd names.
    RefsMany,
    /// There are refs that no repository can have both.
    RefsClashing,
    /// The repository's own files are torn, or say odd things.
    RemoteTorn,
    /// Objects are said to lie elsewhere.
    Alternates,
    /// The history is said to be cut.
    Shallow,
    /// An object is said to stand for another one.
    Replaced,
    /// Bytes of objects are other ones.
    ObjectTorn,
    /// Objects are gone.
    ObjectGone,
    /// A commit is put together as none is.
    CommitOdd,
    /// A signed change has something else in the place of its manifest.
    TreeOdd,
    /// A signed change has an odd manifest.
    ManifestOdd,
    /// A change is not signed by who may sign it.
    ManifestForged,
    /// The log has thousands of changes that nobody signed.
    LogLong,
    /// The log is no row of changes, or another one.
    LogOdd,
    /// The host's report is an odd one, or another's.
    ReportOdd,
    /// The pool is an odd one.
    PoolOdd,
    /// The commit of a signed change's runner has something else in the place of the runner.
    RunnerOdd,
    /// The server answers pushes with odd words, or lets them lose.
    HookOdd,
    /// What comes over the network is not what was sent.
    WireGarbled,
}

impl Trick {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::RefToNothing,
        Self::RefToOther,
        Self::RefTorn,
        Self::PackedRefsTorn,
        Self::RefSymbolic,
        Self::RefsMany,
        Self::RefsClashing,
        Self::RemoteTorn,
        Self::Alternates,
        Self::Shallow,
        Self::Replaced,
        Self::ObjectTorn,
        Self::ObjectGone,
        Self::CommitOdd,
        Self::TreeOdd,
        Self::ManifestOdd,
        Self::ManifestForged,
        Self::LogLong,
        Self::LogOdd,
        Self::ReportOdd,
        Self::PoolOdd,
        Self::RunnerOdd,
        Self::HookOdd,
        Self::WireGarbled,
    ];

    /// The one that the round with this seed begins with: of as many rounds in a row as there are tricks, each begins with
    /// another one, so that none is left out.
    #[must_use]
    pub fn first_of(seed: u64) -> Self {
        Self::ALL[(seed % Self::ALL.len() as u64) as usize]
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RefToNothing => "ref_to_nothing",
            Self::RefToOther => "ref_to_other",
            Self::RefTorn => "ref_torn",
            Self::PackedRefsTorn => "packed_refs_torn",
            Self::RefSymbolic => "ref_symbolic",
            Self::RefsMany => "refs_many",
            Self::RefsClashing => "refs_clashing",
            Self::RemoteTorn => "remote_torn",
            Self::Alternates => "alternates",
            Self::Shallow => "shallow",
            Self::Replaced => "replaced",
            Self::ObjectTorn => "object_torn",
            Self::ObjectGone => "object_gone",
            Self::CommitOdd => "commit_odd",
            Self::TreeOdd => "tree_odd",
            Self::ManifestOdd => "manifest_odd",
            Self::ManifestForged => "manifest_forged",
            Self::LogLong => "log_long",
            Self::LogOdd => "log_odd",
            Self::ReportOdd => "report_odd",
            Self::PoolOdd => "pool_odd",
            Self::RunnerOdd => "runner_odd",
            Self::HookOdd => "hook_odd",
            Self::WireGarbled => "wire_garbled",
        }
    }
}

/// Where tricks are played.
#[derive(Debug)]
pub struct Scene<'a> {
    /// What all visits start from.
    pub stage: &'a Stage,
    /// Where this one takes place.
    pub place: &'a Place,
    /// The remote.
    pub bare: Bare,
    /// Where chance comes from.
    pub chance: Chance,
    /// The port of the server that lets fetch and push.
    pub server: u16,
    /// The changes that were made and count, each with the name and the sha256 of its runner.
    pub counted: Vec<(Sha1, String, Digest)>,
}

type Done = Result<(), TortureError>;

const CHANGES: &str = "refs/wildebeest/changes";

impl Scene<'_> {
    /// Plays a trick.
    ///
    /// # Errors
    /// When the remote can't be written, or git can't be run.
    pub fn play(&mut self, trick: Trick) -> Done {
        match trick {
            Trick::RefToNothing => self.ref_to_nothing(),
            Trick::RefToOther => self.ref_to_other(),
            Trick::RefTorn => self.ref_torn(),
            Trick::PackedRefsTorn => self.packed_refs_torn(),
            Trick::RefSymbolic => self.ref_symbolic(),
            Trick::RefsMany => self.refs_many(),
            Trick::RefsClashing => self.refs_clashing(),
            Trick::RemoteTorn => self.remote_torn(),
            Trick::Alternates => self.alternates(),
            Trick::Shallow => self.shallow(),
            Trick::Replaced => self.replaced(),
            Trick::ObjectTorn => self.object_torn(),
            Trick::ObjectGone => self.object_gone(),
            Trick::CommitOdd => self.commit_odd(),
            Trick::TreeOdd => self.tree_odd(),
            Trick::ManifestOdd => self.manifest_odd(),
            Trick::ManifestForged => self.manifest_forged(),
            Trick::LogLong => self.log_long(),
            Trick::LogOdd => self.log_odd(),
            Trick::ReportOdd => self.report_odd(),
            Trick::PoolOdd => self.pool_odd(),
            Trick::RunnerOdd => self.runner_odd(),
            Trick::HookOdd => self.hook_odd(),
            Trick::WireGarbled => self.wire_garbled(),
        }
    }

    /// One of the refs that the host reads.
    fn reference(&mut self) -> Result<String, TortureError> {
        let uuid = self.place.identity()?.uuid;
        let all = [CHANGES.to_owned(), own_report(uuid), format!("refs/wildebeest/state/{uuid}"), pool()];
        Ok(all[self.chance.below(all.len())].clone())
    }

    fn any_sha1(&mut self) -> Sha1 {
        let mut bytes = [0; 20];
        bytes.iter_mut().for_each(|byte| *byte = self.chance.next().to_le_bytes()[0]);
        Sha1::from_bytes(bytes)
    }

    fn tip(&self) -> Result<Sha1, TortureError> {
        Ok(self.bare.target(CHANGES)?.unwrap_or(Sha1::ZERO))
    }

    fn ref_to_nothing(&mut self) -> Done {
        let (reference, sha1) = (self.reference()?, self.any_sha1());
        self.bare.aim(&reference, &format!("{sha1}\n"))
    }

    fn ref_to_other(&mut self) -> Done {
        let (reference, tip) = (self.reference()?, self.tip()?);
        let object = match self.chance.below(3) {
            0 => self.bare.object("blob", b"{}")?,
            1 => self.bare.tree_of("manifest.json", b"{}")?,
            _ => {
                let tag = format!("object {tip}\ntype commit\ntag 1\ntagger A <a@b> 1 +0000\n\nm\n");
                self.bare.object("tag", tag.as_bytes())?
            }
        };
        self.bare.aim(&reference, &format!("{object}\n"))
    }

    fn ref_torn(&mut self) -> Done {
        let (reference, tip) = (self.reference()?, self.tip()?.to_string());
        let contents = [
            "",
            "\n",
            &tip[..20],
            "ref:",
            "ref: \n",
            &"0".repeat(40),
            &"\0".repeat(41),
            &format!("{tip}{tip}\n"),
            &tip,
        ];
        self.bare.aim(&reference, contents[self.chance.below(contents.len())])
    }

    fn packed_refs_torn(&mut self) -> Done {
        self.bare.git().args(["pack-refs", "--all"]).read().map_err(TortureError::Command)?;
        self.tear("packed-refs")
    }

    /// A file, made wrong.
    fn tear(&mut self, name: &str) -> Done {
        let path = self.bare.file(name);
        let Some(content) = files::read_optional(&path)? else { return Ok(()) };
        let torn = mutated(&content, &content, &mut self.chance);
        Ok(files::write(path, torn, 0o644)?)
    }

    fn ref_symbolic(&mut self) -> Done {
        let (reference, other) = (self.reference()?, self.reference()?);
        let targets = [&other, &reference, "refs/heads/none", "HEAD", "../../../../../etc/passwd", "refs/wildebeest/"];
        let target = targets[self.chance.below(targets.len())];
        self.bare.aim(&reference, &format!("ref: {target}\n"))?;
        if self.chance.one_in(2) { self.bare.aim("HEAD", &format!("ref: {other}\n")) } else { Ok(()) }
    }

    fn refs_many(&mut self) -> Done {
        let (uuid, tip) = (self.place.identity()?.uuid, self.tip()?);
        let mut names: Vec<String> =
            ["out/-x", "out/größe", "out/a,b;c", "out/'$(x)'", "runners/a", "runners/a/b/c", "x"]
                .map(|name| format!("refs/wildebeest/{name}"))
                .into();
        names.push(format!("refs/wildebeest/out/{}", "x".repeat(200)));
        names.push(own_report(uuid).to_uppercase().replacen("REFS/WILDEBEEST/REPORT", "refs/wildebeest/report", 1));
        names.push(format!("{}x", own_report(uuid)));
        names.extend((0..300).map(|n| format!("refs/wildebeest/report/{n}")));
        names.extend((0..100).map(|n| format!("{CHANGES}{n}")));
        let claim = self.claims(1 + self.chance.clone().below(3))?;
        let object = if self.chance.one_in(2) { claim } else { tip };
        let lines: String = names.iter().map(|name| format!("create {name} {object}\n")).collect();
        self.bare.git().args(["update-ref", "--stdin"]).stdin(lines).run().map(drop).map_err(TortureError::Command)
    }

    fn refs_clashing(&mut self) -> Done {
        self.bare.git().args(["pack-refs", "--all"]).read().map_err(TortureError::Command)?;
        let (packed, reference) = (files::read_text(self.bare.file("packed-refs"))?, self.reference()?);
        let clashing = |line: &str| match line.ends_with(&format!(" {reference}")) {
            true => format!("{line}\n{line}/x\n"),
            false => format!("{line}\n"),
        };
        self.bare.aim("packed-refs", &packed.lines().map(clashing).collect::<String>())
    }

    fn remote_torn(&mut self) -> Done {
        let settings = [
            "[core]\n\trepositoryformatversion = 99\n",
            "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = sha256\n",
            "[core]\n\tbare = true\n[uploadpack]\n\thideRefs = refs/wildebeest/changes\n",
            "[core]\n\tbare = true\n[transfer]\n\thideRefs = refs/wildebeest/report\n",
            "[core]\n\tbare = true\n[receive]\n\tdenyDeletes = true\n\tdenyNonFastForwards = true\n",
            "[core\n",
        ];
        match self.chance.below(3) {
            0 => self.tear("HEAD"),
            1 => self.tear("config"),
            _ => self.bare.aim("config", settings[self.chance.below(settings.len())]),
        }
    }

    fn alternates(&mut self) -> Done {
        let lines = ["/no/such/place", "/proc/self", ".", "../../host/var/herd.git/objects", "\0", "\"x"];
        self.bare.aim("objects/info/alternates", &format!("{}\n", lines[self.chance.below(lines.len())]))
    }

    fn shallow(&mut self) -> Done {
        let (tip, other) = (self.tip()?, self.any_sha1());
        let lines = [format!("{tip}\n"), format!("{other}\n"), "x\n".to_owned(), String::new()];
        self.bare.aim("shallow", &lines[self.chance.below(lines.len())])
    }

    fn replaced(&mut self) -> Done {
        let tip = self.tip()?;
        let tree = self.bare.tree_of("manifest.json", b"{}")?;
        let text = self.bare.commit_text(tree, &[], "1 deploy: x\n", Some(self.stage.forgers_key()))?;
        let other = self.bare.object("commit", text.as_bytes())?;
        self.bare.aim(&format!("refs/replace/{tip}"), &format!("{other}\n"))
    }

    /// The files of objects, packs and indices among them.
    fn object_files(&self) -> Result<Vec<std::path::PathBuf>, TortureError> {
        let mut all = Vec::new();
        for dir in files::list(self.bare.file("objects"))? {
            all.extend(files::list(dir).unwrap_or_default());
        }
        Ok(all)
    }

    fn object_torn(&mut self) -> Done {
        let all = self.object_files()?;
        for _ in 0..=self.chance.below(3) {
            let Some(path) = all.get(self.chance.below(all.len())) else { return Ok(()) };
            let content = files::read(path)?;
            let mut torn = content.clone();
            match self.chance.below(3) {
                0 => torn.truncate(self.chance.below(content.len())),
                1 => torn = mutated(&content, &content, &mut self.chance),
                _ => {
                    let at = self.chance.below(content.len());
                    torn.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 0x10);
                }
            }
            files::write(path, torn, 0o644)?;
        }
        Ok(())
    }

    fn object_gone(&mut self) -> Done {
        let all = self.object_files()?;
        for _ in 0..=self.chance.below(3) {
            if let Some(path) = all.get(self.chance.below(all.len())) {
                files::remove(path)?;
            }
        }
        Ok(())
    }

    fn commit_odd(&mut self) -> Done {
        let (reference, other) = (self.reference()?, self.reference()?);
        let text = self.bare.content("commit", &reference)?.unwrap_or_default();
        let other = self.bare.content("commit", &other)?.unwrap_or_default();
        let odd = match self.chance.below(6) {
            0 => [&text[..], &b"x".repeat(2 << 20)].concat(),
            1 => Draw(self.chance.clone()).commit().into_bytes(),
            _ => mutated(&text, &other, &mut self.chance),
        };
        let object = self.bare.object("commit", &odd)?;
        self.bare.aim(&reference, &format!("{object}\n"))
    }

    /// A signed change with this tree, the next one of the log. It is not said to count.
    fn change_of(&self, tree: Sha1, signer: Signer<'_>) -> Result<Sha1, TortureError> {
        let text = self.bare.commit_text(tree, &[self.tip()?], "7 deploy: odd\n", signer)?;
        let commit = self.bare.object("commit", text.as_bytes())?;
        self.bare.aim(CHANGES, &format!("{commit}\n"))?;
        Ok(commit)
    }

    fn operators_key(&self) -> SigningKey {
        self.stage.operator(self.place).key().clone()
    }

    fn tree_odd(&mut self) -> Done {
        let next = self.next_manifest()?.map(|manifest| manifest.encode()).unwrap_or_default();
        let (blob, gone) = (self.bare.object("blob", next.as_bytes())?, self.any_sha1());
        let inner = self.bare.tree_of("manifest.json", next.as_bytes())?;
        let tree = match self.chance.below(9) {
            0 => self.bare.tree("")?,
            1 => self.bare.tree(&format!("040000 tree {inner}\tmanifest.json\n"))?,
            2 => self.bare.tree(&format!("120000 blob {blob}\tmanifest.json\n"))?,
            3 => self.bare.tree(&format!("160000 commit {gone}\tmanifest.json\n"))?,
            4 => self.bare.tree(&format!("100644 blob {blob}\tManifest.json\n"))?,
            5 => self.bare.tree_of("manifest.json", &b" ".repeat(9 << 20))?,
            6 => self.bare.tree_of("manifest.json", b"\xff\xfe{}")?,
            7 => self.bare.object("tree", b"100644 manifest.json\0short")?,
            _ => inner.to_string().replace('0', "1").parse().unwrap_or(gone),
        };
        self.change_of(tree, Some(&self.operators_key())).map(drop)
    }

    /// What could come next in the log; nothing where that can't be read.
    fn next_manifest(&self) -> Result<Option<Manifest>, TortureError> {
        let text = self.bare.content("blob", &format!("{CHANGES}:manifest.json"))?.unwrap_or_default();
        let manifest = Manifest::decode(&String::from_utf8_lossy(&text)).ok();
        Ok(manifest.map(|manifest| Manifest { number: manifest.number + 1, ..manifest }))
    }

    /// The operator signs what may be anything, but no other chain than theirs: a herd never comes back from that.
    fn manifest_odd(&mut self) -> Done {
        let Some(before) = self.next_manifest()? else { return Ok(()) };
        let chain = Generation::Third.catalog()?.chain().clone();
        let other = Draw(self.chance.clone()).manifest().encode();
        let odd = mutated(before.encode().as_bytes(), other.as_bytes(), &mut self.chance);
        let read = Manifest::decode(&String::from_utf8_lossy(&odd)).ok();
        let is_another = read.as_ref().is_some_and(|read| !chain.extends(&read.chain));
        let key = if is_another { self.stage.forgers_key().clone() } else { self.operators_key() };
        let tree = self.bare.tree_of("manifest.json", &odd)?;
        let parent = Manifest { number: before.number - 1, ..before };
        let commit = self.change_of(tree, Some(&key))?;
        if let Some(read) = read.filter(|read| !is_another && read.follows(Some(&parent)).is_ok()) {
            let runner = read.runners.get(&platform()).map_or_else(|| Digest::of(b""), |runner| runner.sha256);
            self.counted.push((commit, "odd".to_owned(), runner));
        }
        Ok(())
    }

    fn manifest_forged(&mut self) -> Done {
        if self.chance.one_in(2) {
            return self.stage.forger(self.place).deploy_forged().map(drop).or(Ok(()));
        }
        let Some(mut manifest) = self.next_manifest()? else { return Ok(()) };
        manifest.chain = Generation::Third.catalog()?.chain().clone();
        manifest.target = manifest.chain.tip().map(|link| link.sha1);
        let tree = self.bare.tree_of("manifest.json", manifest.encode().as_bytes())?;
        self.change_of(tree, None).map(drop)
    }

    fn log_long(&mut self) -> Done {
        let many = 1_000 + self.chance.below(3_000);
        let commit = |n: usize| {
            let from = if n == 0 { format!("from {CHANGES}^0\n") } else { String::new() };
            format!("commit {CHANGES}\ncommitter A <a@b> {n} +0000\ndata 2\nx\n{from}\n")
        };
        let stream: String = (0..many).map(commit).collect();
        let import = self.bare.git().args(["fast-import", "--quiet", "--force"]).stdin(stream);
        import.run().map(drop).map_err(TortureError::Command)
    }

    fn log_odd(&mut self) -> Done {
        let (tip, key) = (self.tip()?, self.operators_key());
        let Some(next) = self.next_manifest()? else { return Ok(()) };
        let before = self.bare.target(&format!("{CHANGES}^"))?;
        let first = Manifest { number: 1, ..next.clone() };
        let (manifest, parents) = match self.chance.below(4) {
            0 => (next, vec![tip, tip]),
            1 => (next, before.into_iter().chain([tip]).collect()),
            2 => (first, Vec::new()),
            _ => return self.bare.aim(CHANGES, &format!("{}\n", before.unwrap_or(tip))),
        };
        let tree = self.bare.tree_of("manifest.json", manifest.encode().as_bytes())?;
        let text = self.bare.commit_text(tree, &parents, "7 deploy: odd\n", Some(&key))?;
        let commit = self.bare.object("commit", text.as_bytes())?;
        self.bare.aim(CHANGES, &format!("{commit}\n"))
    }

    fn report_odd(&mut self) -> Done {
        let reference = own_report(self.place.identity()?.uuid);
        let other = Draw(self.chance.clone()).report().message();
        let text = self.bare.content("commit", &reference)?.unwrap_or_default();
        let message = text.windows(2).position(|pair| pair == b"\n\n").map_or(&text[..], |at| &text[at + 2..]);
        let odd = match self.chance.below(4) {
            0 => message.to_vec(),
            1 => other.into_bytes(),
            _ => mutated(message, other.as_bytes(), &mut self.chance),
        };
        let own = SigningKey::new(self.place.home().key());
        let keys = [Some(&own), Some(self.stage.forgers_key()), None];
        let signer = keys[self.chance.below(keys.len())];
        self.say(&reference, &String::from_utf8_lossy(&odd), signer)
    }

    /// A commit without files, with this message.
    fn say(&self, reference: &str, message: &str, signer: Signer<'_>) -> Done {
        let text = self.bare.commit_text(self.bare.tree("")?, &[], message, signer)?;
        let commit = self.bare.object("commit", text.as_bytes())?;
        self.bare.aim(reference, &format!("{commit}\n"))
    }

    /// A pool that has so many claims, of this host and of others.
    fn claims(&self, many: usize) -> Result<Sha1, TortureError> {
        let uuid = self.place.identity()?.uuid;
        let claim = |n: usize| {
            let holder = if n == 0 { uuid.to_string() } else { format!("{n:08}-0000-0000-0000-000000000000") };
            format!("{{\"host\":\"x\\n\\n{n}\",\"uuid\":\"{holder}\",\"nonce\":\"{holder}\",\"since\":{n}}}")
        };
        let claims: Vec<String> = (0..many).map(claim).collect();
        let pool = format!("{{\"holders\":[{}],\"change\":0,\"nonce\":\"{uuid}\"}}\n", claims.join(","));
        let text = self.bare.commit_text(self.bare.tree("")?, &[], &format!("web: x\n\n{pool}"), None)?;
        self.bare.object("commit", text.as_bytes())
    }

    fn pool_odd(&mut self) -> Done {
        if self.chance.one_in(3) {
            let many = [1, 2, 1_000, 20_000][self.chance.below(4)];
            let commit = self.claims(many)?;
            return self.bare.aim(&pool(), &format!("{commit}\n"));
        }
        let (base, other) = (Draw(self.chance.clone()).pool().message("web"), Draw(Chance(7)).pool().message("web"));
        let odd = mutated(base.as_bytes(), other.as_bytes(), &mut self.chance);
        self.say(&pool(), &String::from_utf8_lossy(&odd), None)
    }

    fn runner_odd(&mut self) -> Done {
        let file = wb_core::agent::RUNNER_FILE;
        let blob = self.bare.object("blob", b"#!/bin/sh\ntouch ran\n")?;
        let inner = self.bare.tree_of(file, b"#!/bin/sh\ntouch ran\n")?;
        let tree = match self.chance.below(4) {
            0 => self.bare.tree("")?,
            1 => self.bare.tree(&format!("040000 tree {inner}\t{file}\n"))?,
            2 => self.bare.tree(&format!("120000 blob {blob}\t{file}\n"))?,
            _ => inner,
        };
        let text = self.bare.commit_text(tree, &[], "runner\n", None)?;
        let commit = self.bare.object("commit", text.as_bytes())?;
        let generation = Generation::Third;
        let reference = format!("{}-odd", reference(generation));
        self.bare.aim(&reference, &format!("{commit}\n"))?;
        let sha256 = Digest::of(script(generation.name()).as_bytes());
        let change = self.stage.operator(self.place).deploy_as(generation, Runner { sha256, commit, reference });
        if let Ok(change) = change {
            self.counted.push((change, generation.name().to_owned(), sha256));
        }
        Ok(())
    }

    fn hook_odd(&mut self) -> Done {
        let hooks = [
            ("pre-receive", "printf '\\033[2J!\\tx:refs/wildebeest/out/web\\t[rejected] (stale info)\\n'; exit 1"),
            ("pre-receive", "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1"),
            ("pre-receive", "echo 'fatal: packed-refs: cannot lock ref, No space left on device' >&2; exit 1"),
            ("update", "[ \"$1\" = refs/wildebeest/out/web ] && exit 1; exit 0"),
            ("post-receive", "while read old new ref; do git update-ref \"$ref\" \"$old\"; done"),
            ("post-receive", "kill -KILL $PPID"),
            ("pre-receive", "kill -KILL $PPID"),
        ];
        let (name, does) = hooks[self.chance.below(hooks.len())];
        Ok(files::write(self.bare.file(&format!("hooks/{name}")), format!("#!/bin/sh\n{does}\n"), 0o755)?)
    }

    fn wire_garbled(&mut self) -> Done {
        let wire = Wire::to(self.server, self.chance.next())?;
        let name = self.place.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let home = self.place.home();
        let remote = format!("git://127.0.0.1:{}/{name}/remote.git", wire.port());
        Ok(home.write_config(&wb_core::runner::HostConfig { remote, ..home.read_config()? })?)
    }
}

fn own_report(uuid: wb_core::Uuid) -> String {
    format!("refs/wildebeest/report/{uuid}")
}

fn pool() -> String {
    format!("refs/wildebeest/out/{}", super::super::links::ROLE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rounds_in_a_row_leave_no_trick_out() {
        for first in [0, 1, 40, u64::MAX - Trick::ALL.len() as u64] {
            let row = first..first + Trick::ALL.len() as u64;
            let played: BTreeSet<Trick> = row.map(Trick::first_of).collect();
            assert_eq!(played, Trick::ALL.into(), "from {first}");
        }
    }
}
