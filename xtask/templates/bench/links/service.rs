use wb_stdlib::prelude::*;

/// A daemon runs, and starts with the host.
#[migration(role = "server")]
fn NAME(host: &Host) -> Result<()> {
    host.file("/etc/init.d/wb-daemon-NUMBER").content(SCRIPT).mode(0o755).present()?;
    host.service("wb-daemon-NUMBER").enabled_and_running()?;
    Ok(())
}

#[spec]
fn it_runs(host: &View) -> Result<()> {
    host.service("wb-daemon-NUMBER").is_running()
}

const SCRIPT: &str = r#"#!/bin/sh
### BEGIN INIT INFO
# Provides: wb-daemon-NUMBER
# Required-Start: $remote_fs
# Required-Stop: $remote_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: Sleeps
### END INIT INFO
. /lib/lsb/init-functions
pid=/run/wb-daemon-NUMBER.pid
start="start-stop-daemon --start --quiet --oknodo --background --make-pidfile --pidfile $pid"
case "$1" in
start) $start --startas /bin/sleep -- infinity ;;
stop) start-stop-daemon --stop --quiet --oknodo --remove-pidfile --pidfile $pid ;;
restart) $0 stop; $0 start ;;
status) status_of_proc -p $pid /bin/sleep wb-daemon-NUMBER ;;
esac
"#;
