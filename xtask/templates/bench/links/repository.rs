use wb_stdlib::prelude::*;

/// Small packages lie in a repository on the disk, and apt knows no others.
#[migration(role = "server")]
fn NAME(host: &Host) -> Result<()> {
    host.script("repository", REPOSITORY).creates("/srv/wb-small/ready").run()?;
    Ok(())
}

const REPOSITORY: &str = r#"#!/bin/sh
set -e
umask 022
export SOURCE_DATE_EPOCH=1000000000
rm -rf /srv/wb-small
mkdir -p /srv/wb-small
cd /srv/wb-small
for number in $(seq OTHER); do
    package=$(mktemp -d)
    chmod 755 $package
    mkdir -p $package/DEBIAN $package/usr/share/wb-small
    echo $number >$package/usr/share/wb-small/$number
    printf 'Package: wb-small-%s\nVersion: 1.0\nArchitecture: all\nMaintainer: bench <bench@example.org>\nDescription: small\n' \
        $number >$package/DEBIAN/control
    dpkg-deb --build --root-owner-group $package /srv/wb-small >/dev/null
    rm -r $package
done
for deb in *.deb; do
    dpkg-deb --field $deb
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' $deb $(stat -c %s $deb) $(sha256sum $deb | cut -d ' ' -f 1)
done >Packages
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/wb-small ./' >/etc/apt/sources.list.d/wb-small.list
apt-get update -q
touch ready
"#;
