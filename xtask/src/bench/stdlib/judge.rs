//! The parts of the judge that are functions of texts. They are of the program that races, which is no crate of this
//! workspace; so their tests run here.
#![allow(dead_code, unreachable_pub, reason = "the program uses them")]

#[path = "../../../templates/bench/judge/accounts.rs"]
mod accounts;
#[path = "../../../templates/bench/judge/dpkg.rs"]
mod dpkg;
#[path = "../../../templates/bench/judge/links.rs"]
mod links;
#[path = "../../../templates/bench/judge/texts.rs"]
mod texts;
