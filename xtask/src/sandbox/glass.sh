# Runs a command behind glass: it sees the host's whole root, and what it writes there lands in a layer of its own. What is
# mounted elsewhere is the host's: sockets lie in /run. Arguments: a place for the layer, options of the overlay, the
# command. What there was in /run and /tmp is listed before and after it.
glass=$1 options=$2
shift 2
PATH=/usr/sbin:/usr/bin:/sbin:/bin
names() {
    # What goes away meanwhile is no error.
    find /run /tmp -xdev -path "$glass" -prune -o -printf '%p\0' >"$1" 2>/dev/null || :
}

mkdir -p "$glass/upper" "$glass/work" "$glass/root"
points=$(cut -d ' ' -f 2 /proc/self/mounts)
# A file is copied as a whole or not at all: half a copy looks like another file.
mount -t overlay overlay -o "nodev,lowerdir=/,upperdir=$glass/upper,workdir=$glass/work,metacopy=off$options" "$glass/root"
taken=
for point in $points; do
    point=$(printf %b "$point")
    [ "$point" != / ] || continue
    for above in $taken; do
        # It comes along.
        case $point in "$above" | "$above"/*) continue 2 ;; esac
    done
    mount --rbind "$point" "$glass/root$point"
    taken="$taken $point"
done

names "$glass/before"
code=0
setpriv --pdeathsig KILL chroot "$glass/root" "$@" || code=$?
names "$glass/after"
exit "$code"
