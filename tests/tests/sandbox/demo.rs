//! The demo keeps its promises, and leaves nothing behind.

use std::collections::BTreeSet;

use serde_json::Value;
use wb_core::system::files;
use wb_tests::alone::alone;
use wb_xtask::demo::{Options, run};
use wb_xtask::sandbox::scratch_dir;
use wb_xtask::shell::Shell;

use crate::traces::Traces;

#[test]
fn the_demo_keeps_its_promises_and_leaves_nothing() {
    alone("demo::the_demo_keeps_its_promises_and_leaves_nothing", || {
        let scratch = scratch_dir("test-demo");
        let json = tempfile::tempdir().unwrap();
        let json = json.path().join("result.json");
        let options = Options { json: Some(json.clone()), keep: false, scratch: Some(scratch.clone()) };
        let traces = Traces::watch(&scratch.join("herd"));
        let outcome = run(&options, &Shell::standard()).unwrap();
        assert_eq!(outcome.complaints, Vec::<String>::new());
        check(&serde_json::from_slice(&files::read(json).unwrap()).unwrap());
        assert_eq!(traces.left(), Vec::<String>::new());
    });
}

fn check(result: &Value) {
    assert_eq!(keys(result), KEYS.into());
    assert_eq!(result["ok"], true);
    assert!(is_sha1(&result["tip"]), "{}", result["tip"]);
    let hosts = result["hosts"].as_array().unwrap();
    assert_eq!(hosts.iter().map(|host| &host["name"]).collect::<Vec<_>>(), ["db1", "lb1", "web1", "web2", "web3"]);
    for host in hosts {
        assert_eq!(keys(host), ["name", "roles", "state", "migration"].into());
        assert_eq!((&host["state"], &host["migration"]), (&result["tip"], &"serve_second_page".into()), "{host}");
        assert!(host["roles"].as_array().unwrap().contains(&"server".into()), "{host}");
    }
    let number = |key: &str| result[key].as_f64().unwrap();
    assert!(number("requests") >= 200.0, "{result}");
    assert_eq!(number("failed_requests"), 0.0, "{result}");
    assert_eq!((number("max_out"), number("max_out_seen")), (1.0, 1.0), "{result}");
    assert!(number("seconds_first_deploy") > 0.0 && number("seconds_roll") > 0.0, "{result}");
}

const KEYS: [&str; 9] = [
    "hosts",
    "tip",
    "requests",
    "failed_requests",
    "max_out_seen",
    "max_out",
    "seconds_first_deploy",
    "seconds_roll",
    "ok",
];

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn is_sha1(value: &Value) -> bool {
    let hex = |text: &str| text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    value.as_str().is_some_and(hex)
}
