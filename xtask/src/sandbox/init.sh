# Makes a root file system out of layers and becomes its init. Runs as process 1 of the host's process namespace.
lower=$1 disk=$2 options=$3 foreign=$4

case " $foreign " in
*" $(readlink /proc/self/ns/net) "*) echo "refused: an init needs a network namespace of its own"; exit 70 ;;
esac
[ $$ = 1 ] || { echo "refused: an init needs a process namespace of its own"; exit 70; }

# Of all devices only those that are bound below can be opened. A node that a host makes itself is there, as scripts of
# packages want it, and is no way to a disk of the machine.
mount -t overlay overlay -o "nodev,lowerdir=$lower,upperdir=$disk/upper,workdir=$disk/work$options" "$disk/root"
cd "$disk/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys || :
mount -t tmpfs -o mode=755,nodev tmpfs run
mount -t tmpfs -o mode=1777,nodev tmpfs tmp
mount -t tmpfs -o mode=755,nodev tmpfs dev
mkdir -m 1777 run/lock dev/shm
mkdir dev/pts
for node in null zero full random urandom tty; do
    touch "dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
mount -t tmpfs -o mode=1777,nodev tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr

# What the kernel does not keep apart for each host is read-only in it.
for part in sys sysrq-trigger irq bus fs; do
    [ -e "proc/$part" ] || continue
    mount --bind "proc/$part" "proc/$part"
    mount -o remount,bind,ro "proc/$part"
done
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,rw proc/sys/net || :
cat /proc/sys/kernel/random/uuid >run/boot_id
mount --bind run/boot_id proc/sys/kernel/random/boot_id

if [ ! -e etc/machine-id ]; then
    tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
    hostname >etc/hostname
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$(hostname)" >etc/hosts
    chroot . ssh-keygen -q -t ed25519 -N '' -C "root@$(hostname)" -f /etc/ssh/ssh_host_ed25519_key
fi

# systemd has each service in a control group. It gets one of its own to have them in, and no others are to be seen.
enter="exec"
case $(readlink sbin/init) in */lib/systemd/systemd) systemd=yes ;; *) systemd= ;; esac
if [ "$systemd" ]; then
    groups=$(grep -m 1 ' cgroup2 ' /proc/mounts | cut -d ' ' -f 2)
    [ -n "$groups" ] || { echo "refused: systemd needs control groups of version 2"; exit 71; }
    group=$groups/wildebeest$(echo "$disk" | tr / -)
    mkdir -p "$group"
    echo 0 >"$group/cgroup.procs"
    enter="mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec"
fi

pivot_root . mnt
umount -l /mnt
exec unshare --cgroup sh -ec "$enter"' setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 container=wildebeest /sbin/init </dev/null >/dev/null 2>&1'
