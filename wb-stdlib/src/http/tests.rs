use wb_core::context::Outcome;

use super::*;
use crate::machine::{Machine, serve};

/// A server that gives these answers in turn, as status and body, and the last from then on; its URL.
fn page(answers: &[(u16, &str)]) -> String {
    let mut answers: Vec<String> =
        answers.iter().map(|(status, body)| format!("HTTP/1.0 {status} X\r\n\r\n{body}")).collect();
    let next = move |_: &str| if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
    format!("http://{}/", serve(next))
}

#[test]
fn specs_wait_for_the_page_and_say_what_they_found() {
    let url = page(&[(200, "old page")]);
    let machine = Machine::new();
    machine.view(|host| host.http(&url).answers(200)).unwrap();
    machine.view(|host| host.http(&url).with_body("old").answers(200)).unwrap();
    let error = machine.view(|host| host.http(&url).with_body("new").answers(200)).unwrap_err();
    assert_eq!(error.to_string(), format!("expected {url} to answer 200 with `new`, found 200 with `old page`"));
}

#[test]
fn a_page_may_take_a_moment() {
    let url = page(&[(503, ""), (503, ""), (200, "")]);
    Machine::new().view(|host| host.http(&url).answers(200)).unwrap();
}

#[test]
fn a_timeout_may_be_without_end() {
    let url = page(&[(200, "")]);
    Machine::new().view(|host| host.http(&url).timeout(Duration::MAX).answers(200)).unwrap();
}

#[test]
fn an_answer_can_be_used() {
    let url = page(&[(200, r#"{"version": "1.2"}"#)]);
    let answer = Machine::new().view(|host| Ok(host.http(&url).get()?)).unwrap();
    assert_eq!(answer.json::<serde_json::Value>().unwrap()["version"], "1.2");
    assert_eq!(answer.header("Content-Type"), None);
    let error = answer.json::<u32>().unwrap_err().to_string();
    assert_eq!(error, format!("what {url} answers is not the JSON that was expected"));
}

#[test]
fn what_cannot_be_asked_is_said() {
    let error = |url: &str| {
        let error = Machine::new().view(|host| host.http(url).answers(200)).unwrap_err();
        format!("{error:#}")
    };
    assert!(error("ftp://127.0.0.1/").starts_with("`ftp://127.0.0.1/` is no address that can be asked\nhint: "));
    assert!(error("https://127.0.0.1/").contains("this host trusts no certificates\nhint: "));
    let expect = "expected http://127.0.0.1:1/ to answer 200, found no answer: could not ask http://127.0.0.1:1/";
    assert!(error("http://127.0.0.1:1/").starts_with(expect), "{}", error("http://127.0.0.1:1/"));
}

#[test]
fn whom_to_trust_is_read_from_the_host() {
    let machine = Machine::new().file("/etc/ca.pem", "no certificate");
    let error = machine.view(|host| Ok(host.http("https://127.0.0.1/").trusting("/etc/ca.pem").get()?)).unwrap_err();
    assert!(error.to_string().starts_with("there is no certificate in /etc/ca.pem\nhint: "), "{error}");
}

fn post(host: &Host, url: &str, look: &str) -> Result<Sent> {
    Ok(host.http(url).header("X-Key", "swordfish").json(&["swordfish"]).unless(host.http(look)).post()?)
}

#[test]
fn what_is_needed_is_sent_and_looked_at_again() {
    let (url, look) = (page(&[(201, "made")]), page(&[(404, ""), (200, "")]));
    let machine = Machine::new();
    let sent = machine.apply(|host| post(host, &url, &look)).unwrap();
    assert!(sent.changed());
    assert_eq!(sent.answer.unwrap().body, "made");
    assert_eq!(machine.said(), format!("+ http POST {url} sent"));
    let sent = machine.apply(|host| post(host, &url, &look)).unwrap();
    assert_eq!(sent, Sent { outcome: Outcome::Unchanged, answer: None });
}

#[test]
fn a_plan_sends_nothing() {
    let look = page(&[(404, "")]);
    let machine = Machine::new();
    let sent = machine.plan(|host| post(host, "http://127.0.0.1:1/", &look)).unwrap();
    assert_eq!(sent, Sent { outcome: Outcome::Changed { diff: None }, answer: None });
    machine.plan(|host| post(host, "http://127.0.0.1:1/?key=swordfish", "http://127.0.0.1:1/")).unwrap();
    let expect = "? http POST http://127.0.0.1:1/?… sent (cannot know: could not ask http://127.0.0.1:1/)";
    assert_eq!(machine.said(), expect);
}

#[test]
fn what_is_refused_or_brings_nothing_about_is_an_error() {
    let error = |url: &str, look: &str| {
        let error = Machine::new().apply(|host| post(host, url, look)).unwrap_err();
        assert!(!format!("{error:#}").contains("swordfish"));
        error.to_string()
    };
    let (url, look) = (page(&[(409, "conflict")]), page(&[(404, "")]));
    assert_eq!(error(&url, &look), format!("POST {url} was answered 409 with `conflict`"));
    let url = page(&[(200, "")]);
    let expect = format!("POST {url} was answered well, and 10 s later its guard still says that it is needed");
    assert_eq!(error(&url, &look), expect);
    assert_eq!(error(&url, "http://127.0.0.1:1/"), "could not ask http://127.0.0.1:1/");
}

#[test]
fn other_statuses_may_be_expected() {
    let (url, look) = (page(&[(202, "")]), page(&[(200, ""), (404, "")]));
    let sent = Machine::new().apply(|host| {
        let look = host.http(&look).expects([404]);
        Ok(host.http(&url).expects([202]).unless(look).delete()?)
    });
    assert!(sent.unwrap().changed());
}
