# The power supply of one host: plugs it into the router, boots it, and boots it again when it reboots. It ends when the
# host switches itself off or is killed. It runs in the network namespace that the host will have.
name=$1 address=$2 gateway=$3 port=$4 machine=$5 lower=$6 disk=$7 options=$8 init=$9

router=$(readlink /proc/1/ns/net)
mkdir -p "$disk/upper" "$disk/work" "$disk/root"
hostname "$name"
nsenter --target 1 --net ip link delete "$port" 2>/dev/null || :
# The same card each time it is switched on: others remember for a while which one has the address.
card=$(printf '02:00:%02x:%02x:%02x:%02x' $(echo "${address%/*}" | tr . ' '))
nsenter --target 1 --net ip link add "$port" type veth peer name eth0 address "$card" netns $$
nsenter --target 1 --net ip link set "$port" master herd0 up
ip address add "$address" dev eth0

while :; do
    # Debian's halt and reboot take every interface down.
    ip link set lo up
    ip link set eth0 up
    ip route replace default via "$gateway"
    code=0
    unshare --mount --pid --fork --ipc --cgroup --kill-child --propagation private \
        sh -ec "$init" init "$lower" "$disk" "$options" "$machine $router" || code=$?
    # reboot(2) in a process namespace ends its init by SIGHUP.
    [ "$code" = 129 ] || exit "$code"
done
