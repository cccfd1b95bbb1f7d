//! What is to be so.

/// Packages that the host has.
pub const PACKAGES: [&str; 20] = [
    "adduser",
    "apt",
    "base-files",
    "bash",
    "coreutils",
    "cron",
    "dash",
    "debconf",
    "diffutils",
    "dpkg",
    "findutils",
    "grep",
    "gzip",
    "login",
    "mawk",
    "passwd",
    "sed",
    "tar",
    "util-linux",
    "zlib1g",
];

/// Packages of the repository on the host's own disk.
pub const SMALL: [&str; 5] = ["wb-small-1", "wb-small-2", "wb-small-3", "wb-small-4", "wb-small-5"];

/// Services with init scripts.
pub const SERVICES: [&str; 5] = ["wb-daemon-1", "wb-daemon-2", "wb-daemon-3", "wb-daemon-4", "wb-daemon-5"];

/// Settings of the kernel, which a network namespace has of its own.
pub const SYSCTL: [(&str, &str); 5] = [
    ("net.ipv4.conf.all.log_martians", "1"),
    ("net.ipv4.ip_local_port_range", "20000 60000"),
    ("net.ipv4.tcp_fin_timeout", "30"),
    ("net.ipv4.tcp_keepalive_time", "600"),
    ("net.ipv4.tcp_syncookies", "2"),
];

pub const SYSCTL_FILE: &str = "/etc/sysctl.d/60-wb-bench.conf";
pub const LINES_FILE: &str = "/etc/wb-bench.conf";
pub const CRONTAB: &str = "/var/spool/cron/crontabs/root";
pub const FILES: usize = 100;

/// The twenty of everything there are twenty of.
pub fn twenty() -> impl Iterator<Item = usize> {
    1..=20
}

pub fn group(number: usize) -> (String, u32) {
    (format!("wbgroup{number}"), 42_000 + number as u32)
}

pub fn user(number: usize) -> (String, u32) {
    (format!("wbuser{number}"), 42_000 + number as u32)
}

pub fn directory(number: usize) -> String {
    format!("/srv/wb-bench/{number}")
}

/// A file with a fixed text.
pub fn plain(number: usize) -> (String, String) {
    (format!("{}/plain", directory(number)), format!("# {number}\nanswer = 42\n"))
}

/// A file made of a template, and what stands for its placeholders.
pub fn templated(number: usize) -> (String, usize) {
    (format!("{}/site.conf", directory(number)), 8000 + number)
}

pub fn line(number: usize) -> String {
    format!("option_{number} = {}", number * number)
}

/// What a cron entry is called, its schedule and its command.
pub fn cron(number: usize) -> (String, String, String) {
    (format!("bench {number}"), format!("{number} 3 * * *"), format!("/bin/true {number}"))
}

pub fn numbered(number: usize) -> String {
    format!("/srv/wb-files/{number}.conf")
}

/// What the template is when it is filled in, by hand.
pub fn filled(name: &str, port: usize) -> String {
    format!(
        "# {name}: do not edit\nserver {{\n    listen {port};\n    server_name {name}.example.org;\n    root /srv/{name};\n\n    \
         location / {{\n        proxy_pass http://127.0.0.1:{port};\n        proxy_set_header Host $host;\n    }}\n}}\n"
    )
}
