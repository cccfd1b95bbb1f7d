# Lets systemd boot in a sandbox. Argument: the root.
units="$1/etc/systemd/system"
mkdir -p "$units/multi-user.target.wants"
cat >"$units/booted.service" <<'UNIT'
[Unit]
Description=Say that all services are up
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/usr/bin/touch /run/booted
UNIT
ln -sf ../booted.service "$units/multi-user.target.wants/booted.service"

# The ssh server is a service, as on Debian, and not started by its first client.
rm -rf "$units/sockets.target.wants/ssh.socket" "$units/ssh.service.requires"
ln -sf /lib/systemd/system/ssh.service "$units/multi-user.target.wants/ssh.service"

# Who installs packages has apt for himself.
for timer in apt-daily.timer apt-daily-upgrade.timer; do
    ln -sf /dev/null "$units/$timer"
done
