//! What examples and tests give to a fake host, and no host has: keys and certificates of nobody, answers of servers.

/// For `shop.example.org` and 192.0.2.7, until 2027-11-29.
pub const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBiTCCATCgAwIBAgIUAQucuEkAYFBgdldtNkXLihI3l9UwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQc2hvcC5leGFtcGxlLm9yZzAeFw0yNjExMjkwODAzMjNaFw0y
NzExMjkwODAzMjNaMBsxGTAXBgNVBAMMEHNob3AuZXhhbXBsZS5vcmcwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAASRPyC4/6nUUNaS0HQ6dOWOX4iBZwcuvUlcbjIX
JKSw1qdTLkbIbTiU+LX0Un5n52Kna0SuhzFoWouSgR/UP5sho1IwUDAhBgNVHREE
GjAYghBzaG9wLmV4YW1wbGUub3JnhwTAAAIHMAwGA1UdEwEB/wQCMAAwHQYDVR0O
BBYEFMfXqrIhTSPa90Jvh6hUJppNKxwdMAoGCCqGSM49BAMCA0cAMEQCIFCEMR6J
QL+QR53FrSD0jzbjFttImLsxIUdzsAiCG9U2AiBJRnDA3/eBZBEpz+VdSrp8Y8V6
QebElQYXXKGpcQOONQ==
-----END CERTIFICATE-----
";

/// Its key, of the curve P-256.
pub const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQguwwb5vfFb+pGoR1e
zvr1duGWyqPoqZJ7wo6Spd2nk5ahRANCAASRPyC4/6nUUNaS0HQ6dOWOX4iBZwcu
vUlcbjIXJKSw1qdTLkbIbTiU+LX0Un5n52Kna0SuhzFoWouSgR/UP5sh
-----END PRIVATE KEY-----
";

/// A key of OpenPGP, for `shop@example.org`: the sample of RFC 9580, with a user and a checksum.
pub const OPENPGP_KEY: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: of a test\n\n\
    xjMEU/NfCxYJKwYBBAHaRw8BAQdAPwmJlL3ZFu1AUxl5NOSofIBzOhKA1i+AEJku\n\
    Q+47JAbNF1Nob3AgPHNob3BAZXhhbXBsZS5vcmc+\n=9FtA\n\
    -----END PGP PUBLIC KEY BLOCK-----\n";

/// A key for packages of Alpine.
pub const APK_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n";

/// A key to log in with.
pub const SSH_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICcND7mvhy1ZxWiyqpEPx/8V+EKIGmUq3lP6Mqj05qxy anna@laptop";

/// What PostgreSQL says to all that is asked of it where there is the database `shop`: of itself, of what is in the
/// database, and of privileges on that.
pub const POSTGRES_WITH_SHOP: &str = r#"{
    "version": 150013,
    "roles": [{"name": "auditor"}, {"name": "reports"}, {"name": "shop"}],
    "databases": [{"name": "postgres"}, {"name": "shop", "owner": "shop"}],
    "available": [{"name": "pg_trgm", "version": "1.6"}],
    "schema": true,
    "all": ["SELECT"],
    "objects": [{"name": "items", "held": []}, {"name": "orders", "held": []}]
}"#;

/// What MariaDB says of itself where there is the user `reports`, from `10.%`.
pub const MYSQL_WITH_REPORTS: &str =
    "#version\t10.11.6-MariaDB-0+deb12u1\n#user\t7265706F727473\t31302E25\t\t\nmax_connections\t151\n";
