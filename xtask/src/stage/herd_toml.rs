//! What the `herd.toml` of a stage says.

use wb_core::herd::{Herd, HerdSettings, HostEntry};

use super::StageError;
use crate::test::cast::Player;

/// The text of a `herd.toml` of these hosts, which follow `remote`.
///
/// # Errors
/// When the settings of a host are nothing that it can say.
pub fn herd_toml(remote: &str, players: &[Player]) -> Result<String, StageError> {
    let entry = |player: &Player| {
        let Player { name, roles, address, settings } = player.clone();
        (name, HostEntry { roles, address: Some(address.to_string()), settings })
    };
    let herd = HerdSettings { remote: Some(remote.to_owned()) };
    let herd = Herd { herd, hosts: players.iter().map(entry).collect(), ..Herd::default() };
    toml::to_string(&herd).map_err(|source| StageError::Herd { source })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::{Map, Value, json};

    use super::*;

    fn player(settings: &Value) -> Player {
        let settings = settings.as_object().cloned().unwrap_or_default();
        let roles = ["server", "web"].map(str::to_owned).into();
        Player { name: "web1".into(), roles, address: Ipv4Addr::new(10, 77, 0, 11), settings }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let settings = json!({ "network": { "hostname": "web1" }, "pace": 2, "calm": true, "all": ["a", "b"] });
        let players = [player(&settings), Player { name: "db1".into(), settings: Map::new(), ..player(&Value::Null) }];
        let herd = Herd::parse(&herd_toml("ssh://git@10.77.0.2/srv/git/herd.git", &players).unwrap()).unwrap();
        assert_eq!(herd.herd.remote.as_deref(), Some("ssh://git@10.77.0.2/srv/git/herd.git"));
        assert_eq!(herd.with_role("web").collect::<Vec<_>>(), ["db1", "web1"]);
        for player in &players {
            let host = &herd.hosts[&player.name];
            assert_eq!((&host.settings, host.address.as_deref()), (&player.settings, Some("10.77.0.11")));
        }
    }

    #[test]
    fn what_toml_has_no_word_for_is_refused() {
        let error = herd_toml("r", &[player(&json!({ "nothing": null }))]).unwrap_err();
        assert!(matches!(error, StageError::Herd { .. }), "{error}");
    }
}
