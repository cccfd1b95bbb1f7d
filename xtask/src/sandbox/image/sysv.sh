# Lets sysvinit boot in a sandbox. Argument: the root.
cat >"$1/etc/inittab" <<'INITTAB'
# The file systems are mounted before init starts, so there is nothing for rcS to do.
id:2:initdefault:
si::sysinit:/bin/true
l0:0:wait:/etc/init.d/rc 0
l1:1:wait:/etc/init.d/rc 1
l2:2:wait:/etc/init.d/rc 2
l6:6:wait:/etc/init.d/rc 6
bt:2:once:/usr/bin/touch /run/booted
INITTAB

# On the way down there is no clock to set and nothing to unmount.
for script in hwclock.sh umountfs umountroot umountnfs.sh urandom brightness; do
    rm -f "$1"/etc/rc[06].d/K??"$script"
done
