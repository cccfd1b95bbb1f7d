# Turns a fresh root file system into one that boots in a sandbox, whatever its init. Argument: the root.

# Each host gets its own at its first boot.
rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/machine-id" "$1/etc/hostname"
rm -f "$1/etc/resolv.conf"
echo "nameserver 10.0.2.3" >"$1/etc/resolv.conf"
chroot "$1" update-ca-certificates
