//! A real herd: booted, installed on, cut off, rebooted, killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use wb_core::runner::with_causes;
use wb_core::system::clock::{self, Stopwatch};
use wb_core::system::{Command, CommandError, environment, files, socket};
use wb_xtask::fleet::cargo;
use wb_xtask::sandbox::{
    Distribution, Herd, Host, Image, Init, Layers, SandboxError, cache_dir, census, ensure_tools, probe, scratch_dir,
};

const SUBNET: &str = "10.77.0.0/24";

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, last)
}

/// A herd, or nothing on a machine that can't have one. In CI there is no such excuse.
fn herd(name: &str) -> Option<Herd> {
    let say = |line: &str| eprintln!("{line}");
    // What can not be installed is named by the probe.
    drop(ensure_tools(&say));
    let scratch = scratch_dir(name);
    let probe = probe(&scratch);
    if !probe.possible() {
        assert!(!is_ci(), "{:#?}", probe.missing);
        eprintln!("skipped: this machine can't have sandboxes:");
        probe.missing.iter().for_each(|missing| eprintln!("  {missing}"));
        return None;
    }
    let image = Image::debian12(&cache_dir(), &say).unwrap();
    Some(Herd::start(&image, &scratch, SUBNET.parse().unwrap()).unwrap())
}

/// A herd whose hosts can download packages, or nothing.
fn herd_with_way_out(name: &str) -> Option<Herd> {
    let herd = herd(name)?;
    if !herd.has_way_out() {
        assert!(!is_ci(), "hosts have no way out to the package mirrors");
        eprintln!("skipped: hosts have no way out to the package mirrors here");
        return None;
    }
    Some(herd)
}

fn is_ci() -> bool {
    environment::var("CI").as_deref() == Some("true")
}

fn sh(host: &Host, line: &str) -> String {
    host.read(Command::shell(line)).unwrap()
}

fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let watch = Stopwatch::start();
    let result = act();
    eprintln!("{what}: {:.2} s", watch.elapsed().as_secs_f64());
    result
}

#[test]
fn a_host_installs_packages_survives_power_cuts_and_reboots() {
    let Some(herd) = herd_with_way_out("test-host") else { return };
    let host = timed("boot", || herd.boot("web1", address(11))).unwrap();
    assert_eq!(sh(&host, "hostname; /sbin/runlevel; id -u"), "web1\nN 2\n0");
    timed("apt-get update", || sh(&host, "apt-get update -qq"));
    timed("apt-get install", || sh(&host, "apt-get install -y -qq hello"));
    assert_eq!(sh(&host, "hello"), "Hello, world!");

    host.put("/srv/new/file", "content", 0o640).unwrap();
    assert_eq!(sh(&host, "cat /srv/new/file; stat -c %a /srv/new/file"), "content640");
    assert_eq!(files::read_text(host.root().unwrap().join("srv/new/file")).unwrap(), "content");
    let output = host.run(Command::new("pwd").dir("/srv").env("A", "1")).unwrap();
    assert_eq!(output.text(), "/srv");

    let before = host.boot_id().unwrap();
    assert_eq!(sh(&host, "cat /proc/sys/kernel/random/boot_id"), before);
    timed("reboot", || {
        sh(&host, "shutdown -r now");
        host.wait_for_reboot(&before).unwrap();
    });
    assert_eq!(sh(&host, "hello; service ssh status"), "Hello, world!\nsshd is running.");
    assert_ne!(host.boot_id().unwrap(), before);

    timed("kill", || host.kill()).unwrap();
    assert!(matches!(host.run(Command::new("true")), Err(SandboxError::Down { .. })));
    timed("start", || host.start()).unwrap();
    assert_eq!(sh(&host, "cat /srv/new/file; getent hosts web1"), "content127.0.1.1       web1");
}

/// What of the machine's network a herd could change: its cards, its routes, and whether it passes on what it gets.
fn network_of_this_machine() -> [String; 3] {
    let cards = Command::new("ls").arg("/sys/class/net").read().unwrap();
    let [routes, passes_on] = ["/proc/net/route", "/proc/sys/net/ipv4/ip_forward"].map(files::read_text);
    [cards, routes.unwrap(), passes_on.unwrap()]
}

/// The machine, the router, each host: all have networks of their own, and what goes between hosts goes by the router.
#[test]
fn a_herd_has_a_network_of_its_own() {
    let before = network_of_this_machine();
    let Some(herd) = herd("test-network") else { return };
    let [a, b] = [("a", 11), ("b", 12)].map(|(name, last)| herd.boot(name, address(last)).unwrap());
    assert_eq!(network_of_this_machine(), before);
    let ends = ["/proc/self/ns/net".into(), herd.network().namespace()].map(|file| files::read_link(file).unwrap());
    let of_hosts = [&a, &b].map(|host| PathBuf::from(sh(host, "readlink /proc/1/ns/net")));
    assert_eq!(ends.into_iter().chain(of_hosts).collect::<BTreeSet<_>>().len(), 4);

    let own = "ip -4 -o address show eth0 | grep -o ' 10[0-9./]* '; ip route | grep -o 'default via [0-9.]*'";
    assert_eq!(sh(&a, own), " 10.77.0.11/24 \ndefault via 10.77.0.1");
    for elsewhere in [Ipv4Addr::new(10, 78, 0, 11), address(1), address(255)] {
        assert!(matches!(herd.boot("c", elsewhere), Err(SandboxError::Address { .. })), "{elsewhere}");
    }
    assert!(matches!(herd.boot("no name", address(13)), Err(SandboxError::Name(_))));

    herd.name_all(&[&a, &b]).unwrap();
    let key = |host: &Host| sh(host, "cat /etc/ssh/ssh_host_ed25519_key.pub");
    b.put("/root/.ssh/authorized_keys", key(&a), 0o600).unwrap();
    a.put("/root/.ssh/known_hosts", format!("b {}", key(&b)), 0o600).unwrap();
    let ssh = "ssh -i /etc/ssh/ssh_host_ed25519_key -o BatchMode=yes -o ConnectTimeout=2 b hostname";
    assert_eq!(sh(&a, ssh), "b");
    b.partition(true).unwrap();
    assert_ne!(a.run(Command::shell(ssh)).unwrap().code, 0);
    b.partition(false).unwrap();
    assert_eq!(sh(&a, ssh), "b");
    drop(herd);
    assert_eq!(network_of_this_machine(), before);
}

/// Nodes of devices can be made where root runs the sandbox, and are those of the machine.
#[test]
fn a_host_opens_no_device_but_its_own() {
    let Some(herd) = herd("test-devices") else { return };
    let host = herd.boot("a", address(11)).unwrap();
    let opened = "for dir in /root /run /tmp /dev /dev/shm; do
            rm -f $dir/node; mknod $dir/node c 1 5 2>/dev/null || continue
            ! head -c 1 $dir/node >/dev/null 2>&1 || echo $dir
        done";
    assert_eq!(sh(&host, opened), "");
    assert_eq!(sh(&host, "head -c 3 /dev/zero | wc -c; echo lost >/dev/null; head -c 1 /dev/urandom | wc -c"), "3\n1");
    let writable = host.run(Command::shell("test -w /proc/sys/kernel/panic")).unwrap();
    assert_ne!(writable.code, 0, "what is the machine's can only be read");
}

/// What one host removed, another one that boots on its disk does not have either. What that one does, the disk does not
/// see.
#[test]
fn a_host_boots_on_the_disk_of_another_and_is_reset() {
    let Some(herd) = herd("test-base") else { return };
    let first = herd.boot("a", address(11)).unwrap();
    sh(&first, "rm -f /etc/motd; rm -r /usr/share/doc /usr/share/info; mkdir /usr/share/doc");
    sh(&first, "echo one >/usr/share/doc/new");
    first.keep_disk("kept").unwrap();
    let kept = files::canonical(scratch_dir("test-base")).unwrap().join("hosts/kept/upper");

    let second = timed("boot on a disk", || herd.boot_on("b", address(12), Some(&kept))).unwrap();
    let look = "cat /etc/machine-id; ls /usr/share/doc; ls -d /etc/motd /usr/share/info 2>/dev/null; true";
    let seen = sh(&first, look);
    assert!(seen.ends_with("\nnew"), "{seen}");
    assert_eq!(sh(&second, look), seen);
    sh(&second, "echo two >/usr/share/doc/new; echo three >/etc/motd");
    timed("reset", || second.reset(Some(&kept))).unwrap();
    assert_eq!(sh(&second, "cat /usr/share/doc/new"), "one");
    assert_eq!(sh(&second, look), seen);
    timed("reset to the image", || second.reset(None)).unwrap();
    assert_ne!(sh(&second, look), seen);
    assert_eq!(sh(&second, "hostname; ls /usr/share/doc/new 2>/dev/null; true"), "b");
}

/// A key that begins with these digits.
fn key(digits: &str) -> String {
    format!("{digits:0<32}")
}

/// A place for layers on the disk where hosts have theirs.
fn no_layers(name: &str) -> Layers {
    let place = scratch_dir(name).join("cache");
    files::remove_tree(&place).unwrap();
    Layers::open(&place).unwrap()
}

#[test]
fn a_layer_has_all_that_a_host_has_and_shares_what_was_there_before() {
    let Some(herd) = herd("test-layers") else { return };
    let layers = no_layers("test-layers");
    let host = herd.boot("a", address(11)).unwrap();
    sh(&host, "rm -r /usr/share/doc; mkdir /usr/share/doc; echo new >/usr/share/doc/new; rm /etc/motd");
    sh(&host, "cd /srv; echo x >one; ln one two; ln -s one link; mkfifo pipe; chown 7:8 pipe; echo big >/usr/big");
    let first = timed("the first layer", || layers.keep(&host, &key("1"), None, &"one")).unwrap();
    sh(&host, "cd /srv; rm pipe; chmod 600 one; echo more >more; rm -r /usr/share/info");
    let second = timed("the second layer", || layers.keep(&host, &key("2"), Some(&first), &"two")).unwrap();
    sh(&host, "echo later >/srv/one; rm /srv/more");

    let modes = [&first, &second].map(|layer| files::stat(layer.root.join("srv/one")).unwrap().unwrap().mode);
    assert_eq!(modes, [0o644, 0o600]);
    assert_eq!(files::read_text(first.root.join("srv/one")).unwrap(), "x\n");
    let is_same = |path: &str| files::is_same(first.root.join(path), second.root.join(path)).unwrap();
    assert!(is_same("usr/big") && !is_same("etc/hosts"), "cron takes no file with a second name");
    assert_eq!(layers.find(&key("2")).unwrap(), second);

    let look = "ls /usr/share/doc; cd /srv; ls; stat -c %a two; [ two -ef one ] && echo same; readlink link; cat more; ls /usr/share/info";
    let seen = "new\nlink\nmore\none\ntwo\n600\nsame\none\nmore";
    let other = herd.boot_on("b", address(12), Some(&second.root)).unwrap();
    assert_eq!(host_says(&other, look), seen);
    sh(&other, "echo third >/srv/third");
    let third = timed("a layer of who booted on one", || layers.keep(&other, &key("3"), Some(&second), &3)).unwrap();
    timed("reset", || host.reset(Some(&third.root))).unwrap();
    assert_eq!(host_says(&host, look), seen.replace("one\ntwo", "one\nthird\ntwo"));

    timed("the layer of a herd", || layers.keep_herd(&key("a"), &[&host, &other], &())).unwrap();
    let kept = layers.find_herd(&key("a")).unwrap();
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["a", "b"]);
    other.reset(Some(&kept["a"])).unwrap();
    assert_eq!(sh(&other, "cat /srv/third"), "third");
    let pruned = timed("prune", || layers.prune(Duration::from_secs(60), 0, &BTreeSet::new())).unwrap();
    assert_eq!(pruned.layers, 0, "all were used just now");
    drop(herd);
    assert_eq!(layers.clear().unwrap().layers, 4);
}

#[test]
fn the_tree_of_a_host_is_what_its_image_has_not() {
    let Some(herd) = herd("test-tree") else { return };
    let layers = no_layers("test-tree");
    let host = herd.boot("a", address(11)).unwrap();
    let told = |host: &Host| -> Vec<String> {
        let tree = timed("the tree", || host.frozen(|| host.tree())).unwrap().unwrap();
        let lines = tree.iter().map(|(path, entry)| format!("{:?} {:o} {}", entry.kind, entry.mode, path.display()));
        lines.filter(|line| line.contains(" /srv") || line.contains(" /etc/motd")).collect()
    };
    assert_eq!(told(&host), [""; 0]);
    sh(&host, "echo x >/srv/x; chmod 640 /srv/x; rm /etc/motd; touch /srv");
    let expect = ["Gone 0 /etc/motd", "File 640 /srv/x"];
    assert_eq!(told(&host), expect);
    // It is the same whether it was made here or booted on.
    let layer = layers.keep(&host, &key("a"), None, &()).unwrap();
    let other = herd.boot_on("b", address(12), Some(&layer.root)).unwrap();
    assert_eq!(told(&other), expect);
    drop(herd);
    layers.clear().unwrap();
}

#[test]
fn what_a_command_does_behind_glass_is_seen_and_gone() {
    let Some(herd) = herd("test-glass") else { return };
    let host = herd.boot("a", address(11)).unwrap();
    sh(&host, "cd /srv; mkdir dir mounted; touch dir/in; mount -t tmpfs tmpfs mounted; touch mounted/x");
    // A place that another mount hides is in nobody's way.
    sh(&host, "cd /mnt; mkdir -p a/b; mount -t tmpfs tmpfs a/b; mount -t tmpfs tmpfs a; touch a/c");
    sh(&host, "for file in /run/state /tmp/state /tmp/gone; do echo old >$file; done");
    // What a daemon writes all the time is not the command's doing.
    let daemon = "while :; do now=$(date +%N); touch /srv/at$now /run/at$now /tmp/at$now; sleep 0.01; done";
    sh(&host, &format!("setsid sh -c '{daemon}' </dev/null >/dev/null 2>&1 &"));
    let behind = |line: &str| match host.behind_glass(Command::shell(line).env("A", "1").stdin("in")) {
        Err(SandboxError::NoGlass { why, .. }) if !is_ci() => {
            eprintln!("skipped: no glass on this machine: {why}");
            None
        }
        seen => Some(seen.unwrap()),
    };
    let look = "cat; cat /srv/dir/in; ls /srv/mounted /mnt/a; sleep 0.1; exit 3";
    let Some((output, touched)) = timed("a look", || behind(look)) else { return };
    assert_eq!((output.code, output.text(), touched), (3, "in/mnt/a:\nc\n\n/srv/mounted:\nx".to_owned(), Vec::new()));

    let line = "set -e; cd /srv; echo $A >new; rm -r dir; rm /etc/motd; mkdir /etc/cron.d/d; chmod 600 /etc/passwd
        touch -c /etc/group; touch /run/made; echo >>/etc/hosts; mkdir /tmp/dir; rm /tmp/gone
        echo new >/run/state; echo new >>/tmp/state
        apt-get --simulate upgrade >/dev/null; service ssh status";
    let (output, touched) = behind(line).unwrap();
    assert_eq!((output.code, output.text().as_str()), (0, "sshd is running."), "{output:?}");
    let touched: Vec<String> =
        touched.iter().map(|touched| format!("{:?} {}", touched.how, touched.path.display())).collect();
    let expect = [
        "Made /etc/cron.d/d",
        "Changed /etc/hosts",
        "Removed /etc/motd",
        "Changed /etc/passwd",
        "Made /run/made",
        "Changed /run/state",
        "Removed /srv/dir",
        "Made /srv/new",
        "Made /tmp/dir",
        "Removed /tmp/gone",
        "Changed /tmp/state",
    ];
    assert_eq!(touched, expect);
    assert_eq!(sh(&host, "cat /run/state /tmp/state /tmp/gone; ls -d /run/made /tmp/dir || :"), "old\nold\nold");
    assert_eq!(sh(&host, "ls /srv/dir; stat -c %a /etc/passwd; ls -d /etc/cron.d/d /run/wildebeest* || :"), "in\n644");
}

/// Who asks a daemon for something is answered behind glass, too, and what the daemon then does is done.
#[test]
fn daemons_answer_behind_glass() {
    let Some(herd) = herd("test-glass-daemons") else { return };
    let host = herd.boot("a", address(11)).unwrap();
    let socket = "use IO::Socket::UNIX; my $all = IO::Socket::UNIX->new(Local => \"/run/answers\", Listen => 5);
        while (my $one = $all->accept) { print $one \"hello\"; close $one }";
    sh(&host, &format!("setsid perl -e '{socket}' </dev/null >/dev/null 2>&1 &"));
    sh(&host, "mkfifo /tmp/orders; setsid sh -c 'cat /tmp/orders >/srv/heard' </dev/null >/dev/null 2>&1 &");
    sh(&host, "for _ in $(seq 100); do [ ! -S /run/answers ] || break; sleep 0.05; done; test -S /run/answers");
    let ask = r#"perl -MIO::Socket::UNIX -e 'print IO::Socket::UNIX->new(Peer => "/run/answers")->getline'
        echo order >/tmp/orders"#;
    match host.behind_glass(Command::shell(ask).timeout(Duration::from_secs(20))) {
        Err(SandboxError::NoGlass { why, .. }) if !is_ci() => eprintln!("skipped: no glass on this machine: {why}"),
        seen => {
            let (output, touched) = seen.unwrap();
            assert_eq!((output.text().as_str(), touched), ("hello", Vec::new()), "{output:?}");
            sh(&host, "for _ in $(seq 100); do grep -q order /srv/heard && exit 0; sleep 0.05; done; exit 1");
        }
    }
}

/// What a line that fails in the end prints.
fn host_says(host: &Host, line: &str) -> String {
    host.run(Command::shell(line)).unwrap().text()
}

#[test]
fn nothing_goes_on_in_a_host_that_is_frozen() {
    let Some(herd) = herd("test-frozen") else { return };
    let host = herd.boot("a", address(11)).unwrap();
    // It counts in a process of its own, and nobody waits for it.
    sh(&host, "setsid sh -c 'while :; do echo >>/srv/count; sleep 0.01; done' </dev/null >/dev/null 2>&1 &");
    let count = || sh(&host, "wc -l </srv/count").parse::<u64>().unwrap();
    let pause = || clock::Clock::sleep(&clock::Real, Duration::from_millis(300));
    pause();
    let (before, after) = timed("freeze and thaw", || {
        let counted = || {
            let before = count();
            pause();
            (before, count())
        };
        host.frozen(counted).unwrap()
    });
    assert!(before > 0);
    assert_eq!(before, after);
    pause();
    assert!(count() > after);
    assert_eq!(sh(&host, "service ssh status"), "sshd is running.");
}

#[test]
fn hosts_and_this_process_reach_a_git_server_until_it_is_cut_off() {
    let Some(herd) = herd("test-git") else { return };
    let (server, host) = timed("boot two at once", || {
        std::thread::scope(|scope| {
            let server = scope.spawn(|| herd.git_server("git", address(2)).unwrap());
            let host = scope.spawn(|| herd.boot("web1", address(11)).unwrap());
            (server.join().unwrap(), host.join().unwrap())
        })
    });
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).read().unwrap();
    let of_host = sh(&host, "cat /etc/ssh/ssh_host_ed25519_key.pub");
    let of_this = files::read_text(key.with_extension("pub")).unwrap();
    server.authorise([of_this, of_host]).unwrap();
    let known = dir.path().join("known");
    files::write(&known, server.known_hosts().unwrap(), 0o600).unwrap();

    let options = format!("-i {} -o UserKnownHostsFile={} -o BatchMode=yes", key.display(), known.display());
    let ssh = format!("{} {options}", herd.network().ssh_command());
    let line = format!(
        "git init -q . && git -c user.name=a -c user.email=b commit -q --allow-empty -m one && git push -q {} HEAD:main",
        server.url()
    );
    timed("push from here", || {
        Command::shell(line).dir(dir.path()).env("GIT_SSH_COMMAND", ssh).read().unwrap();
    });
    herd.name_all(&[server.host(), &host]).unwrap();
    herd.name_all(&[server.host(), &host]).unwrap();
    assert_eq!(sh(&host, "getent hosts git; grep -c git /etc/hosts"), "10.77.0.2       git\n1");
    assert_eq!(sh(server.host(), "getent hosts web1"), "10.77.0.11      web1");
    host.put("/root/.ssh/known_hosts", server.known_hosts().unwrap(), 0o600).unwrap();
    let ask = Command::new("git")
        .args(["ls-remote", &server.url(), "main"])
        .env("GIT_SSH_COMMAND", "ssh -i /etc/ssh/ssh_host_ed25519_key -o ConnectTimeout=2 -o BatchMode=yes");
    let refs = timed("ls-remote from a host", || host.read(ask.clone())).unwrap();
    assert!(refs.ends_with("refs/heads/main"), "{refs}");

    let ssh_port: std::net::SocketAddr = (address(2), 22).into();
    herd.network().connect(ssh_port, Duration::from_secs(2)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            herd.network().enter().unwrap();
            timed("100 connections from a thread in the herd's network", || {
                (0..100).for_each(|_| drop(socket::open(ssh_port, Duration::from_secs(2)).unwrap()));
            });
        });
    });
    server.host().partition(true).unwrap();
    assert_ne!(timed("ls-remote while cut off", || host.run(ask.clone())).unwrap().code, 0);
    herd.network().connect(ssh_port, Duration::from_millis(100)).unwrap_err();
    server.host().partition(false).unwrap();
    timed("ls-remote after it", || host.read(ask)).unwrap();
}

#[test]
fn a_herd_that_is_dropped_leaves_nothing_and_one_that_is_kept_can_be_stopped() {
    let Some(first) = herd("test-end") else { return };
    let scratch = scratch_dir("test-end");
    let host = first.boot("a", address(11)).unwrap();
    let root = host.root().unwrap();
    timed("end", || drop(first));
    assert!(!files::exists(root));
    assert!(!host.is_up());
    assert!(!files::exists(scratch.join("hosts")));

    let second = herd("test-end").unwrap();
    let root = second.boot("a", address(11)).unwrap().root().unwrap();
    assert!(matches!(Herd::stop(&scratch), Err(SandboxError::Busy { .. })));
    let seen = || census().into_iter().find(|seen| seen.herd == "test-end");
    let held = seen().unwrap();
    assert!(held.running && held.busy);
    assert_eq!((held.hosts[0].name.as_str(), held.hosts[0].address), ("a", address(11)));
    let enter = held.hosts[0].enter(&["hostname".into()]).unwrap();
    assert_eq!(enter.read().unwrap(), "a");
    second.leave_running().unwrap();
    assert!(files::exists(root.join("run/booted")));
    assert!(files::try_lock(cache_dir().join("booted")).unwrap().is_none(), "its keeper keeps what it booted from");
    assert!(seen().is_some_and(|seen| seen.running && !seen.busy));
    let [listed, entered] = [["list", "--json"], ["enter", "test-end/a"]].map(|args| {
        let xtask = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("sandbox").args(args);
        let command = if args[0] == "enter" { xtask.args(["--", "sh", "-c", "hostname; exit 5"]) } else { xtask };
        command.run().unwrap()
    });
    assert!(listed.code == 0 && listed.text().contains("\"herd\": \"test-end\""), "{listed:?}");
    assert_eq!((entered.code, entered.text()), (5, "a".to_owned()));
    assert!(Herd::stop(&scratch).unwrap());
    assert!(!files::exists(root));
    assert!(!Herd::stop(&scratch).unwrap());
    assert_eq!(census().iter().find(|seen| seen.herd == "test-end"), None);
}

/// The example of this package, which holds a herd until its input ends. `cargo test --test sandbox` alone builds no
/// examples; with all packages it has the features that tests have, so that where these are compiled, it is.
fn holder() -> PathBuf {
    cargo().args(["build", "--quiet", "--workspace", "--example", "herd"]).read().unwrap();
    environment::current_exe().unwrap().parent().unwrap().with_file_name("examples").join("herd")
}

/// Runs a command in a user namespace, in which users have the numbers that they have outside. Arguments: a directory
/// for its own use, the command.
const AS_A_USER: &str = r#"
    go=$1/go; shift; mkfifo "$go"; exec 3<&0
    unshare --user sh -c 'go=$1; shift; read -r _ <"$go"; exec "$@"' begin "$go" "$@" <&3 & child=$!
    for map in uid_map gid_map; do
        tried=0
        until echo "0 0 65536" >"/proc/$child/$map"; do
            tried=$((tried + 1)); [ "$tried" -lt 100 ] || exit 1; sleep 0.05
        done 2>/dev/null
    done
    echo >"$go"; wait "$child""#;

/// Who is root in a user namespace only has the same hosts. To the kernel that is nobody of note; since all belongs to the
/// same numbers there, no image is made once more.
#[test]
fn hosts_are_had_in_a_user_namespace() {
    if herd("test-user").is_none() {
        return;
    }
    let (program, dir) = (holder(), tempfile::tempdir().unwrap());
    let log = dir.path().join("log");
    let command = Command::new("sh").args(["-c", AS_A_USER, "user"]).arg(dir.path()).arg(program);
    let command = command.args(["--scratch", "test-user", "a"]).env("XDG_CACHE_HOME", "/var/cache");
    let (child, input) = command.start_held(&log).unwrap();
    let said = || files::read_text(&log).unwrap();
    let came = || Some(said()).filter(|said| said.contains("a is up at ") || child.ended());
    let came = clock::wait_until(&clock::Real, Duration::from_secs(120), Duration::from_millis(50), came).unwrap();
    assert!(!came.contains("Error: "), "{came}");
    if !came.contains("a is up at ") {
        eprintln!("skipped: nobody but root can have sandboxes here: {came}");
        return;
    }
    let init = came.split_once("--target ").unwrap().1.split(' ').next().unwrap();
    let look = "hostname; id -u; cat /proc/self/uid_map | xargs; rm -r /etc/cron.d; [ -e /etc/cron.d ] || echo gone
        mknod /root/node c 1 3 2>/dev/null || echo no node; service ssh status";
    let entered = Command::new("nsenter").args(["--target", init, "--all", "--root", "--wd", "sh", "-c", look]);
    assert_eq!(entered.read().unwrap(), "a\n0\n0 0 65536\ngone\nno node\nsshd is running.");
    drop(input);
    let ended = || child.ended().then_some(());
    clock::wait_until(&clock::Real, Duration::from_secs(60), Duration::from_millis(50), ended).unwrap();
}

#[test]
fn a_herd_dies_with_the_process_that_started_it() {
    if herd("test-lost").is_none() {
        return;
    }
    let log = scratch_dir("test-lost").join("holder.log");
    let (holder, _input) = Command::new(holder()).args(["--scratch", "test-lost", "a"]).start_held(&log).unwrap();
    let wait = |what: &str, ready: &dyn Fn() -> bool| {
        let bound = Duration::from_secs(60);
        clock::wait_until(&clock::Real, bound, Duration::from_millis(20), || ready().then_some(())).expect(what);
    };
    let pid = || files::read_text(&log).unwrap().split_once("--target ")?.1.split(' ').next().map(str::to_owned);
    wait("a herd", &|| pid().is_some());
    let booted = PathBuf::from(format!("/proc/{}/root/run/booted", pid().unwrap()));
    assert!(files::exists(&booted));
    holder.kill();
    wait("its end", &|| !files::exists(&booted));
    herd("test-lost").unwrap().boot("a", address(11)).unwrap();
}

/// Hosts without a way out get what this machine downloaded. Asking for nothing to be fetched shows that it is there.
#[test]
fn a_host_installs_what_this_machine_downloaded() {
    if herd_with_way_out("test-download").is_none() {
        return;
    }
    let image = Image::debian12(&cache_dir(), &|line| eprintln!("{line}")).unwrap();
    image.download(&["less"]).unwrap();
    let herd = herd("test-download").unwrap();
    let host = herd.boot("a", address(11)).unwrap();
    host.read(Command::new("apt-get").args(["install", "-y", "--no-download", "less"])).unwrap();
    host.read(Command::new("less").arg("--version")).unwrap();
}

/// Whether an image is not there for no other reason than that its mirror, or the keys of that, are not to be had from
/// here, in apt's words. A recipe that does not work says something else.
fn is_out_of_reach(error: &SandboxError) -> bool {
    let said = with_causes(error);
    let words = ["Failed to fetch", "does not have a Release file", "'ubuntu-keyring' has no installation candidate"];
    words.iter().any(|words| said.contains(words))
}

#[test]
fn a_mirror_that_is_out_of_reach_is_told_from_a_recipe_that_does_not_work() {
    let check = |said: &str, expect| {
        let source = CommandError::Failed { line: "mmdebstrap".into(), code: 1, said: said.into() };
        let error = SandboxError::Image {
            what: "Ubuntu 24.04".into(),
            from: "a mirror".into(),
            sources: "/none".into(),
            source: Box::new(source),
        };
        assert_eq!(is_out_of_reach(&error), expect, "{said}");
    };
    check("E: Failed to fetch http://m/dists/noble/InRelease  Could not connect\nE: apt-get update failed", true);
    check("E: Package 'ubuntu-keyring' has no installation candidate", true);
    check("E: The repository 'http://m noble Release' does not have a Release file.", true);
    check("E: Unable to locate package sysvinit-cor\nE: apt-get install failed", false);
    check("W: a hook\nE: run_chroot failed: E: command failed: cat >\"$1/etc/inittab\"", false);
}

/// The mirrors of other distributions can't be reached from everywhere.
#[test]
fn hosts_of_other_distributions_boot_with_their_init() {
    if herd("test-images").is_none() {
        return;
    }
    let images = [
        (Distribution::Debian12, Init::Systemd, "systemd 12"),
        (Distribution::Debian13, Init::Sysv, "init 13"),
        (Distribution::Debian13, Init::Systemd, "systemd 13"),
        (Distribution::Ubuntu2404, Init::Systemd, "systemd 24.04"),
    ];
    for (distribution, init, expect) in images.into_iter().filter(|(_, init, _)| init.can_be_had()) {
        let image = match Image::of(distribution, init, &cache_dir(), &|line| eprintln!("{line}")) {
            Err(error) if distribution != Distribution::Debian12 && is_out_of_reach(&error) => {
                eprintln!("skipped: {distribution} with {init}: {}", with_causes(&error));
                continue;
            }
            image => image.unwrap(),
        };
        image.verify().unwrap();
        let herd = Herd::start(&image, &scratch_dir("test-images"), SUBNET.parse().unwrap()).unwrap();
        let server = timed(image.version(), || herd.git_server("git", address(2))).unwrap();
        let host = server.host();
        assert_eq!(sh(host, "echo $(cat /proc/1/comm) $(. /etc/os-release; echo $VERSION_ID)"), expect);
        let before = host.boot_id().unwrap();
        // What it says may not arrive any more.
        drop(host.run(Command::shell("shutdown -r now")));
        host.wait_for_reboot(&before).unwrap();
        assert!(server.known_hosts().unwrap().starts_with("10.77.0.2 ssh-ed25519 "));
    }
}
