# Runs a command behind glass: it sees all of the host, and what it writes on the host's disk, in /run and in /tmp lands
# in layers of its own. What is mounted elsewhere is the host's. Arguments: a place for the layers, options of the
# overlays, the command.
glass=$1 options=$2
shift 2
PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=$glass/root
set -f

# Puts a layer over a directory, which looks as it did. Arguments: its name, the directory.
cover() {
    mkdir -p "$glass/$1/upper" "$glass/$1/work"
    chmod --reference="$2" "$glass/$1/upper"
    chown --reference="$2" "$glass/$1/upper"
    # A file is copied as a whole or not at all: half a copy looks like another file.
    layers="lowerdir=$2,upperdir=$glass/$1/upper,workdir=$glass/$1/work,metacopy=off$options"
    mount -t overlay overlay -o "nodev,$layers" "$root$2"
}

points=$(cut -d ' ' -f 2 /proc/self/mounts)
mkdir "$root"
cover disk /
cover run /run
cover tmp /tmp

# What daemons listen on is theirs: through a layer nobody would answer.
taken=
if [ -d /run/systemd ]; then
    mount --rbind /run/systemd "$root/run/systemd"
    taken=/run/systemd
fi
find /run /tmp -xdev -path /run/systemd -prune -o \( -type s -o -type p \) \
    -exec mount --bind {} "$root{}" \; 2>/dev/null || :

for point in $points; do
    case $point in / | /run | /tmp | "$glass") continue ;; esac
    for above in $taken; do
        # It comes along.
        case $point in "$above" | "$above"/*) continue 2 ;; esac
    done
    path=$(printf %b "$point")
    if mount --rbind "$path" "$root$path" 2>/dev/null; then
        taken="$taken $point"
        continue
    fi
    # What is hidden by another mount, or is another user's alone, the host's root does not see either.
    case $point in
    /proc | /sys | /dev)
        echo "$point can't be mounted twice" >&2
        exit 1
        ;;
    esac
done

: >"$glass/there"
exec chroot "$root" "$@"
