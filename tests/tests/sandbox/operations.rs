//! Every operation of the standard library, against the real programs: a test for each room.

use wb_operations::ROOMS;
use wb_tests::alone::beside_others;
use wb_tests::trial;

macro_rules! rooms {
    ($($room:ident),+ $(,)?) => {
        $(
            #[test]
            fn $room() {
                beside_others(concat!("operations::", stringify!($room)), || hold(stringify!($room)));
            }
        )+

        #[test]
        fn no_room_is_forgotten() {
            let mut rooms: Vec<&str> = ROOMS.iter().map(|room| room.name).collect();
            rooms.sort_unstable();
            assert_eq!(rooms, [$(stringify!($room)),+]);
        }
    };
}

fn hold(name: &str) {
    let room = ROOMS.iter().find(|room| room.name == name).unwrap();
    trial::hold(room);
}

rooms!(
    archive,
    balancers,
    certificate,
    command,
    cron,
    download,
    edits,
    facts,
    files,
    firewalld,
    git,
    hostname,
    hosts,
    http,
    kernel_module,
    locale,
    looks,
    mount,
    mysql,
    nftables,
    packages,
    postgres,
    refusals,
    services,
    swap,
    sysctl,
    timezone,
    trust_anchor,
    ufw,
    users,
    waiting,
    zypper,
);
