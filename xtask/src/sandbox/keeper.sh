# The first process of a herd's process namespace: everything of the herd dies with it. It also holds the namespace of
# the router that all hosts are plugged into. It lives as long as somebody holds its standard input open, or for ever
# once it has read "detach".
address=$1 machine=$2 tmpfs=$3 booted=$4

[ "$(readlink /proc/self/ns/net)" != "$machine" ] || { echo "refused: this is the machine's own network"; exit 70; }

# While this is held, nobody removes what hosts have booted from.
exec 9<"$booted"
flock --shared 9

[ -z "$tmpfs" ] || mount -t tmpfs -o mode=755 tmpfs "$tmpfs"
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
iptables -w -t nat -A POSTROUTING -o tap0 -j MASQUERADE || echo "hosts will have no way out: no NAT"
ip link add herd0 type bridge
ip address add "$address" dev herd0
ip link set herd0 up

while read -r order; do
    [ "$order" = detach ] || continue
    while :; do
        sleep 3600 &
        wait
    done
done
