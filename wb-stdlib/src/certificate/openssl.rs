//! The one way to `openssl`. Keys reach it on its standard input.

use std::path::Path;
use std::time::Duration;

use wb_core::system::{Command, System};

use super::CertificateError;

const BOUND: Duration = Duration::from_secs(60);

/// The public key of a private key, in DER.
pub(super) fn public_key(system: &System, key: &[u8]) -> Result<Vec<u8>, CertificateError> {
    let command = openssl().args(["pkey", "-passin", "pass:", "-pubout", "-outform", "DER"]).stdin(key);
    run(system, &command, "read a key")
}

/// A new private key, of the curve P-256, in PEM.
pub(super) fn new_key(system: &System) -> Result<Vec<u8>, CertificateError> {
    let command = openssl().args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    run(system, &command, "make a key")
}

/// A certificate that the key at `key` signs for itself, in PEM.
pub(super) fn new_certificate(
    system: &System,
    key: &Path,
    names: &[String],
    days: u32,
) -> Result<Vec<u8>, CertificateError> {
    let command = openssl()
        .args(["req", "-x509", "-new", "-sha256", "-config", "/dev/stdin", "-days", &days.to_string(), "-key"])
        .arg(system.path(key))
        .stdin(configuration(names));
    run(system, &command, "make a certificate")
}

fn configuration(names: &[String]) -> String {
    // A common name has at most 64 characters, and nobody looks at it where there are others.
    let common = names.iter().find(|name| name.len() <= 64).map_or("localhost", String::as_str);
    let kind = |name: &String| if name.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
    let names: Vec<String> = names.iter().map(|name| format!("{}:{name}", kind(name))).collect();
    format!(
        "[req]\ndistinguished_name = name\nx509_extensions = extensions\nprompt = no\n[name]\nCN = {common}\n[extensions]\n\
         subjectAltName = {}\nbasicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n\
         extendedKeyUsage = serverAuth, clientAuth\n",
        names.join(", ")
    )
}

fn openssl() -> Command {
    Command::new("openssl").env("LC_ALL", "C.UTF-8").timeout(BOUND)
}

fn run(system: &System, command: &Command, action: &'static str) -> Result<Vec<u8>, CertificateError> {
    let ended = system.run(command).and_then(|output| output.success(command));
    ended.map(|output| output.stdout).map_err(|source| CertificateError::OpenSsl { action, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        let text = configuration(&["shop.example.org".into(), "192.0.2.7".into(), "2001:db8::1".into()]);
        assert!(text.contains("\nCN = shop.example.org\n"), "{text}");
        assert!(text.contains("\nsubjectAltName = DNS:shop.example.org, IP:192.0.2.7, IP:2001:db8::1\n"), "{text}");
    }
}
