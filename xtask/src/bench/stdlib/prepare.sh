set -e
umask 022
for number in 1 2 3 4 5; do
    name=wb-daemon-$number
    cat >/etc/init.d/$name <<END
#!/bin/sh
### BEGIN INIT INFO
# Provides: $name
# Required-Start: \$remote_fs
# Required-Stop: \$remote_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: Sleeps
### END INIT INFO
. /lib/lsb/init-functions
pid=/run/$name.pid
case "\$1" in
start) start-stop-daemon --start --quiet --oknodo --background --make-pidfile --pidfile \$pid --startas /bin/sleep -- infinity ;;
stop) start-stop-daemon --stop --quiet --oknodo --remove-pidfile --pidfile \$pid ;;
restart) \$0 stop; \$0 start ;;
status) status_of_proc -p \$pid /bin/sleep $name ;;
esac
END
    chmod 755 /etc/init.d/$name

    package=/tmp/wb-small-$number
    mkdir -p $package/DEBIAN $package/usr/share/wb-small
    echo $number >$package/usr/share/wb-small/$number
    printf 'Package: wb-small-%s\nVersion: 1.0\nArchitecture: all\nMaintainer: bench <bench@example.org>\nDescription: small\n' \
        $number >$package/DEBIAN/control
    mkdir -p /srv/wb-repository
    dpkg-deb --build --root-owner-group $package /srv/wb-repository >/dev/null
done

cd /srv/wb-repository
for deb in *.deb; do
    dpkg-deb --field $deb
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' $deb $(stat -c %s $deb) $(sha256sum $deb | cut -d ' ' -f 1)
done >Packages
apt-get update -q || true
DEBIAN_FRONTEND=noninteractive apt-get install -y -q cron strace
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/wb-repository ./' >/etc/apt/sources.list.d/wb.list
apt-get update -q || true

mkdir -p /srv/wb-before
for key in net.ipv4.conf.all.log_martians net.ipv4.ip_local_port_range net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_time \
    net.ipv4.tcp_syncookies; do
    cat /proc/sys/$(echo $key | tr . /) >/srv/wb-before/$key
done
