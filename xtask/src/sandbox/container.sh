# Runs a command of `cargo xtask` as root of a container, where some places are the machine's. What it makes in them
# belongs afterwards to whom the place belongs. Arguments: those of the command.
begun=$(mktemp)
owner=$(stat -c %u .)
# git opens a repository of who called for root.
[ "$owner" = 0 ] || export SUDO_UID="$owner"

# Who interrupts the command lets the rest be done.
trap : INT TERM
code=0
cargo xtask "$@" || code=$?

printf '%s\n' "$WILDEBEEST_PLACES" | while read -r place; do
    [ "$(stat -c %u "$place")" != 0 ] || continue
    find "$place" -xdev -uid 0 -cnewer "$begun" -exec chown -h --reference="$place" {} +
done
rm -f "$begun"
exit "$code"
