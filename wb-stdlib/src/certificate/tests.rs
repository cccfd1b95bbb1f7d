use wb_core::context::{Debts as _, Outcome};
use wb_core::system::files;

use super::fixtures::{CERTIFICATE, KEY, RSA_KEY};
use super::*;
use crate::machine::{Machine, changed};

const PATH: &str = "/etc/ssl/shop.pem";
const KEY_PATH: &str = "/etc/ssl/private/shop.key";

fn machine() -> Machine {
    Machine::new().dir("/etc/ssl/private").with_me()
}

fn place(host: &Host) -> Result<Outcome> {
    let nginx = host.service("nginx");
    Ok(host.certificate(PATH).pair(CERTIFICATE, KEY_PATH, KEY).owner("me").reloads(&nginx).present()?)
}

fn make(host: &Host) -> Result<Outcome> {
    let names = ["192.0.2.7", "Shop.example.org"];
    Ok(host.certificate(PATH).self_signed(KEY_PATH, names).owner("me").present()?)
}

#[test]
fn a_pair_is_placed_and_owes_a_reload() {
    let machine = machine();
    assert!(machine.apply(place).unwrap().changed());
    assert_eq!((machine.read(PATH).as_deref(), machine.read(KEY_PATH).as_deref()), (Some(CERTIFICATE), Some(KEY)));
    assert_eq!([PATH, KEY_PATH].map(|path| machine.stat(path).unwrap().mode), [0o644, 0o600]);
    assert_eq!(machine.journal.owed().len(), 1);
    assert!(!machine.said().contains("MIGH"), "{}", machine.said());
    assert_eq!(machine.apply(place).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn a_key_that_a_group_may_read_is_not_shown_either() {
    let machine = machine();
    let place = |host: &Host| {
        let pair = host.certificate(PATH).pair(CERTIFICATE, KEY_PATH, KEY).owner("me");
        Ok(pair.group("us").present()?)
    };
    let said = format!("{:?}", machine.plan(place).unwrap());
    assert!(!said.contains("PRIVATE KEY") && said.contains("private"), "{said}");
    assert!(machine.apply(place).unwrap().changed());
    assert!(!machine.said().contains("PRIVATE KEY"), "{}", machine.said());
    assert_eq!(machine.stat(KEY_PATH).unwrap().mode, 0o640);
}

#[test]
fn what_is_no_pair_is_not_placed() {
    let machine = machine().answer("openssl pkey", 0, "another public key");
    let error = machine.apply(|host| Ok(host.certificate(PATH).pair(CERTIFICATE, KEY_PATH, RSA_KEY).present()?));
    let expect = "the key for /etc/ssl/private/shop.key does not belong to the certificate for /etc/ssl/shop.pem";
    assert_eq!(error.unwrap_err().to_string(), expect);
    assert_eq!((machine.read(PATH), machine.read(KEY_PATH)), (None, None));
}

#[test]
fn what_is_no_certificate_or_no_key_is_named() {
    let machine = machine();
    let check = |certificate: &'static str, key: &'static str, expect: &str| {
        let error = machine.apply(|host| Ok(host.certificate(PATH).pair(certificate, KEY_PATH, key).present()?));
        assert!(error.unwrap_err().to_string().starts_with(expect));
    };
    check("", KEY, "what was given for /etc/ssl/shop.pem begins with no certificate");
    check(KEY, KEY, "what was given for /etc/ssl/shop.pem begins with no certificate");
    check(CERTIFICATE, CERTIFICATE, "what was given for /etc/ssl/private/shop.key has no private key");
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGH\n-----END ENCRYPTED PRIVATE KEY-----\n";
    check(CERTIFICATE, locked, "what was given for /etc/ssl/private/shop.key has no private key");
}

#[test]
fn a_host_makes_a_certificate_for_itself_once() {
    let machine = machine().answer("openssl genpkey", 0, KEY).answer("openssl req", 0, CERTIFICATE);
    assert!(machine.plan(make).unwrap().changed());
    assert_eq!((machine.read(KEY_PATH), machine.calls().len()), (None, 0));
    assert!(machine.apply(make).unwrap().changed());
    assert_eq!((machine.read(PATH).as_deref(), machine.read(KEY_PATH).as_deref()), (Some(CERTIFICATE), Some(KEY)));
    assert_eq!(machine.stat(KEY_PATH).unwrap().mode, 0o600);
    let calls = machine.calls().len();
    assert_eq!(machine.apply(make).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls().len(), calls);
}

#[test]
fn a_key_that_is_there_stays() {
    let machine = machine().file(KEY_PATH, KEY).answer("openssl req", 0, CERTIFICATE);
    assert!(machine.apply(make).unwrap().changed());
    assert_eq!(machine.calls().len(), 1);
    let said = "+ certificate /etc/ssl/shop.pem self-signed\n    new certificate\n    key: mode 0644 -> 0600";
    assert_eq!(machine.said(), said);
    assert_eq!((machine.read(KEY_PATH).as_deref(), machine.stat(KEY_PATH).unwrap().mode), (Some(KEY), 0o600));
}

#[test]
fn a_key_that_can_not_be_read_is_not_replaced() {
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGH\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for key in [locked, "0\u{1}DER", ""] {
        let machine =
            machine().file(KEY_PATH, key).answer("openssl genpkey", 0, KEY).answer("openssl req", 0, CERTIFICATE);
        for error in [machine.plan(make).unwrap_err(), machine.apply(make).unwrap_err()] {
            assert!(matches!(error.downcast_ref(), Some(CertificateError::UnusableKey { .. })), "{error}");
        }
        assert_eq!((machine.read(KEY_PATH).as_deref(), machine.calls().len()), (Some(key), 0));
    }
}

#[test]
fn a_key_that_does_not_say_its_public_half_is_asked_for_it() {
    let public = first(CERTIFICATE.as_bytes()).unwrap().public_key;
    let machine = || machine().file(PATH, CERTIFICATE).file(KEY_PATH, RSA_KEY);
    let with_openssl = machine().answer_bytes("openssl pkey", public);
    assert_eq!(with_openssl.apply(make).unwrap(), changed("key: mode 0644 -> 0600"));
    assert_eq!(with_openssl.apply(make).unwrap(), Outcome::Unchanged);
    assert_eq!(machine().plan(make).unwrap(), changed("key: mode 0644 -> 0600"));
    let of_another = machine().answer("openssl pkey", 0, "another public key");
    assert_eq!(of_another.plan(make).unwrap(), changed("its key is another one\nkey: mode 0644 -> 0600"));
}

#[test]
fn owner_group_and_mode_are_looked_at_each_time() {
    let machine = machine().file(PATH, CERTIFICATE).file(KEY_PATH, KEY);
    let make = |host: &Host| {
        let (names, nginx) = (["192.0.2.7", "shop.example.org"], host.service("nginx"));
        let shop = host.certificate(PATH).self_signed(KEY_PATH, names);
        Ok(shop.owner("me").group("us").reloads(&nginx).present()?)
    };
    files::set_mode(machine.path(PATH), 0o600).unwrap();
    let diff = "key: mode 0644 -> 0640\ncertificate: mode 0600 -> 0644";
    assert_eq!(machine.apply(make).unwrap(), changed(diff));
    assert_eq!([PATH, KEY_PATH].map(|path| machine.stat(path).unwrap().mode), [0o644, 0o640]);
    assert_eq!((machine.journal.owed().len(), machine.calls().len()), (1, 0));
    assert_eq!(machine.apply(make).unwrap(), Outcome::Unchanged);
}

#[test]
fn what_openssl_makes_is_looked_at() {
    let machine = machine().answer("openssl genpkey", 0, KEY).answer("openssl req", 0, "nothing");
    let error = machine.apply(make).unwrap_err().to_string();
    assert_eq!(error, "the certificate /etc/ssl/shop.pem was made, and is not as it was to be: new certificate");
}

#[test]
fn names_and_days_have_to_make_sense() {
    let machine = machine();
    let check = |names: &'static [&'static str], days, before| {
        let make = |host: &Host| {
            let names = names.iter().copied();
            Ok(host.certificate(PATH).self_signed(KEY_PATH, names).days(days).renewed_before(before).present()?)
        };
        machine.apply(make).unwrap_err();
    };
    check(&[], 365, 30);
    check(&["a b"], 365, 30);
    check(&["a"], 30, 30);
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn a_plan_cannot_know_a_directory_that_is_not_there() {
    let machine = Machine::new();
    machine.plan(make).unwrap();
    assert!(
        machine.said().starts_with("? certificate /etc/ssl/shop.pem self-signed (cannot know: there is no directory")
    );
}

#[test]
fn what_is_too_large_for_a_certificate_is_none_and_is_not_read() {
    let machine = Machine::new().dir("/etc/ssl");
    wb_core::system::files::write(machine.path("/etc/ssl/huge.pem"), vec![b'x'; 17 << 20], 0o644).unwrap();
    let error = machine.view(|host| host.certificate("/etc/ssl/huge.pem").is_valid_for(Duration::from_secs(1)));
    assert_eq!(error.unwrap_err().to_string(), "there is no certificate in /etc/ssl/huge.pem");
}

#[test]
fn specs_say_what_they_found() {
    let machine = Machine::new().file(PATH, CERTIFICATE);
    machine.view(|host| host.certificate(PATH).is_for("Shop.example.org")).unwrap();
    machine.view(|host| host.certificate(PATH).is_valid_for(Duration::from_secs(26 * 365 * DAY))).unwrap();
    let error =
        machine.view(|host| host.certificate(PATH).is_valid_for(Duration::from_secs(27 * 365 * DAY))).unwrap_err();
    let expect = "expected the certificate /etc/ssl/shop.pem to be valid until 2028-09-02T01:46:40Z, found that it expires at \
                  2027-11-29T08:03:23Z";
    assert_eq!(error.to_string(), expect);
    let error = machine.view(|host| host.certificate(PATH).is_for("other.example.org")).unwrap_err();
    assert!(error.to_string().ends_with("for other.example.org, found 192.0.2.7, shop.example.org"), "{error}");
    let error = machine.view(|host| Ok(host.certificate("/etc/none").expires()?)).unwrap_err();
    assert_eq!(error.to_string(), "there is no certificate in /etc/none");
}
